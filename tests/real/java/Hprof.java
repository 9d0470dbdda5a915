/* A plain reader of HPROF files of HotSpot with 8-byte ids, below 2 GiB, that shares no code with ours: objects, references, roots. */
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.*;

class Hprof {
	enum Kind { HELD, REFERENT, CLASS, SUPERCLASS, RIGHTS }

	/* at: where in the file the reference stands; -1: that of an object to its class. */
	interface Visit { void reference(Kind kind, long target, int at); }

	static class Field {
		String name;
		int type;
	}

	static class Type {
		long id, superclass;
		int at, object = -1;
		String name;
		List<Field> fields = new ArrayList<>();
		List<Integer> statics = new ArrayList<>(); /* places of references */
	}

	static final int[] SIZES = {0, 0, 8, 0, 1, 2, 4, 8, 1, 2, 4, 8};
	static final int[] ROOT_SIZES = {0, 16, 16, 16, 12, 8, 12, 8, 16};
	static final int CLASS = 0x20, INSTANCE = 0x21, OBJECTS = 0x22, PRIMITIVES = 0x23;
	static final int PARTS = 8 + 4; /* of a class: after its id and stack come superclass, loader, signers, domain */

	final ByteBuffer data;
	final Map<Long, String> texts = new HashMap<>();
	final Map<Long, Type> types = new HashMap<>();
	final Map<String, Type> byName = new HashMap<>();
	final Set<Long> roots = new LinkedHashSet<>();
	private final Map<Long, Long> classNames = new HashMap<>();
	private final Map<Long, Integer> rows = new HashMap<>();
	int[] place = new int[1 << 16]; /* of each object's id in the file; the byte before says what it is */
	int count, heapEnd;

	Hprof(ByteBuffer data) {
		this.data = data;
		int at = 0;
		while (data.get(at) != 0)
			at++;
		for (at += 13; at < data.capacity(); at += 9 + data.getInt(at + 5))
			record(data.get(at), at + 9, data.getInt(at + 5));
		for (Type type : types.values())
			byName.put(type.name = texts.get(classNames.get(type.id)), type);
	}

	static Hprof open(Path file) throws IOException {
		try (FileChannel channel = FileChannel.open(file)) {
			return new Hprof(channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size()));
		}
	}

	long id(int row) { return data.getLong(place[row]); }
	int row(long id) { return rows.getOrDefault(id, -1); }
	int tag(int row) { return data.get(place[row] - 1); }

	private void record(int tag, int at, int size) {
		if (tag == 1) {
			byte[] text = new byte[size - 8];
			data.get(at + 8, text);
			texts.put(data.getLong(at), new String(text, StandardCharsets.UTF_8));
		} else if (tag == 2) {
			classNames.put(data.getLong(at + 4), data.getLong(at + 16));
		} else if (tag == 0x1c || tag == 0x0c) {
			heapEnd = at + size;
			while (at < heapEnd)
				at = part(data.get(at), at + 1);
		}
	}

	private int part(int tag, int at) {
		if (tag < CLASS) {
			roots.add(data.getLong(at));
			return at + (tag == -1 ? 8 : ROOT_SIZES[tag]);
		}
		if (count == place.length)
			place = Arrays.copyOf(place, 2 * count);
		rows.put(data.getLong(at), count);
		place[count++] = at;
		switch (tag) {
		case CLASS: return type(at);
		case INSTANCE: return at + 24 + data.getInt(at + 20);
		case OBJECTS: return at + 24 + 8 * data.getInt(at + 12);
		case PRIMITIVES: return at + 17 + SIZES[data.get(at + 16)] * data.getInt(at + 12);
		default: throw new IllegalArgumentException("tag " + tag + " at byte " + (at - 1));
		}
	}

	private int type(int at) {
		Type type = new Type();
		type.id = data.getLong(at);
		type.at = at;
		type.object = count - 1;
		type.superclass = data.getLong(at + PARTS);
		types.put(type.id, type);
		at += PARTS + 6 * 8 + 4;
		int constants = data.getShort(at);
		if (constants != 0)
			throw new IllegalArgumentException("a constant pool");
		at += 2;
		int statics = data.getShort(at) & 0xffff;
		at += 2;
		for (int i = 0; i < statics; i++) {
			int kind = data.get(at + 8);
			if (kind == 2)
				type.statics.add(at + 9);
			at += 9 + SIZES[kind];
		}
		int fields = data.getShort(at) & 0xffff;
		at += 2;
		for (int i = 0; i < fields; i++, at += 9) {
			Field field = new Field();
			field.name = texts.get(data.getLong(at));
			field.type = data.get(at + 8);
			type.fields.add(field);
		}
		return at;
	}

	/* The class of an object, which the dump may lack where it is one of arrays of primitives. */
	Type typeOf(int row) {
		int at = place[row];
		switch (tag(row)) {
		case CLASS: return byName.get("java/lang/Class");
		case INSTANCE: return types.get(data.getLong(at + 12));
		case OBJECTS: return types.get(data.getLong(at + 16));
		default: return byName.get("[" + "    ZCFDBSIJ".charAt(data.get(at + 16)));
		}
	}

	private void see(Visit visit, Kind kind, int at) {
		if (data.getLong(at) != 0)
			visit.reference(kind, data.getLong(at), at);
	}

	void references(int row, Visit visit) {
		int at = place[row];
		Type type = typeOf(row);
		if (type != null)
			visit.reference(Kind.CLASS, type.id, -1);
		switch (tag(row)) {
		case CLASS:
			for (int place : types.get(id(row)).statics)
				see(visit, Kind.HELD, place);
			for (int i = 0; i < 4; i++)
				see(visit, i == 0 ? Kind.SUPERCLASS : i == 1 ? Kind.HELD : Kind.RIGHTS, at + PARTS + 8 * i);
			break;
		case INSTANCE:
			at += 24;
			for (; type != null; type = types.get(type.superclass))
				for (Field field : type.fields) {
					boolean referent = field.name.equals("referent") && type.name.equals("java/lang/ref/Reference");
					if (field.type == 2)
						see(visit, referent ? Kind.REFERENT : Kind.HELD, at);
					at += SIZES[field.type];
				}
			break;
		case OBJECTS:
			for (int i = 0; i < data.getInt(at + 12); i++)
				see(visit, Kind.HELD, at + 24 + 8 * i);
			break;
		default:
		}
	}
}

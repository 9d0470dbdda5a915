/* Who holds what in an HPROF file, by means as plain as can be.
 * PlainGraph answers FILE SIZES [COUNT]: prints "id distance retained" of all objects by the rules of snap-import(1): referents are not held, and
 *	an object holds its class, a class its statics, superclass, loader, signers and domain.  COUNT of the retained sizes are then
 *	found by the definition, which is what a search without the object does not reach, too.
 * PlainGraph plain FILE SIZES COPY: writes a copy where definitions cannot differ (see below), and prints how many references it lacks.
 * SIZES has "id ... size" in each line. */
import java.io.*;
import java.nio.ByteBuffer;
import java.nio.file.*;
import java.util.*;

public class PlainGraph {
	final Hprof heap;
	final int count;
	final int[] first, target; /* references of row r: target[first[r]] to target[first[r + 1]] */
	final long[] size;
	final int[] roots;

	PlainGraph(Hprof heap, long[] size) {
		this.heap = heap;
		this.size = size;
		count = heap.count;
		first = new int[count + 1];
		for (int row = 0; row < count; row++) {
			int at = row;
			first[row + 1] = first[row];
			heap.references(row, (kind, to, place) -> first[at + 1] += holds(kind, to) ? 1 : 0);
		}
		target = new int[first[count]];
		int[] next = {0};
		for (int row = 0; row < count; row++)
			heap.references(row, (kind, to, place) -> {
				if (holds(kind, to))
					target[next[0]++] = heap.row(to);
			});
		roots = heap.roots.stream().mapToInt(heap::row).filter(row -> row >= 0).toArray();
	}

	private boolean holds(Hprof.Kind kind, long to) { return kind != Hprof.Kind.REFERENT && heap.row(to) >= 0; }

	/* Breadth first; -1: not reached.  Nothing passes through the row `without`. */
	int[] distances(int without) {
		int[] distance = new int[count], queue = new int[count];
		int end = 0;
		Arrays.fill(distance, -1);
		for (int row : roots)
			if (distance[row] < 0 && row != without) {
				distance[row] = 0;
				queue[end++] = row;
			}
		for (int i = 0; i < end; i++)
			for (int e = first[queue[i]]; e < first[queue[i] + 1]; e++)
				if (distance[target[e]] < 0 && target[e] != without) {
					distance[target[e]] = distance[queue[i]] + 1;
					queue[end++] = target[e];
				}
		return distance;
	}

	long reached(int[] distance) {
		long bytes = 0;
		for (int row = 0; row < count; row++)
			bytes += distance[row] < 0 ? 0 : size[row];
		return bytes;
	}

	private int[] order, number; /* rows as a depth-first search leaves them, and the place of each; the node above all is last */

	private void search() {
		order = new int[count + 1];
		number = new int[count];
		int[] stack = new int[count], edge = new int[count];
		int done = 0;
		Arrays.fill(number, -1);
		for (int root : roots) {
			int depth = 0;
			if (number[root] != -1)
				continue;
			number[root] = -2;
			stack[0] = root;
			edge[0] = first[root];
			while (depth >= 0) {
				int row = stack[depth];
				if (edge[depth] == first[row + 1]) {
					number[row] = done;
					order[done++] = row;
					depth--;
					continue;
				}
				int to = target[edge[depth]++];
				if (number[to] == -1) {
					number[to] = -2;
					stack[++depth] = to;
					edge[depth] = first[to];
				}
			}
		}
		top = done;
	}

	private int top;

	/* Cooper, Harvey and Kennedy: a pass after the other until nothing changes. */
	long[] retained() {
		search();
		int[] dominator = new int[top + 1];
		Arrays.fill(dominator, -1);
		dominator[top] = top;
		boolean[] root = new boolean[count];
		for (int row : roots)
			root[row] = true;
		int[] start = new int[count + 1], from = new int[target.length];
		for (int to : target)
			start[to + 1]++;
		for (int row = 0; row < count; row++)
			start[row + 1] += start[row];
		int[] next = start.clone();
		for (int row = 0; row < count; row++)
			for (int e = first[row]; e < first[row + 1]; e++)
				from[next[target[e]]++] = row;
		for (boolean changed = true; changed;) {
			changed = false;
			for (int n = top - 1; n >= 0; n--) {
				int row = order[n], best = root[row] ? top : -1;
				for (int e = start[row]; e < start[row + 1] && best != top; e++) {
					int other = number[from[e]];
					if (other >= 0 && dominator[other] >= 0)
						best = best < 0 ? other : meet(dominator, best, other);
				}
				changed |= dominator[n] != best;
				dominator[n] = best;
			}
		}
		long[] bytes = new long[top + 1], result = new long[count];
		for (int n = 0; n < top; n++) { /* a dominator has the higher number */
			bytes[n] += size[order[n]];
			bytes[dominator[n]] += bytes[n];
			result[order[n]] = bytes[n];
		}
		return result;
	}

	private static int meet(int[] dominator, int a, int b) {
		while (a != b)
			if (a < b)
				a = dominator[a];
			else
				b = dominator[b];
		return a;
	}

	static long[] sizes(Hprof heap, String file) throws IOException {
		long[] size = new long[heap.count];
		Arrays.fill(size, -1);
		try (BufferedReader lines = Files.newBufferedReader(Path.of(file))) {
			for (String line; (line = lines.readLine()) != null;) {
				int row = heap.row(Long.parseLong(line.substring(0, line.indexOf('\t'))));
				size[row] = Long.parseLong(line.substring(line.lastIndexOf('\t') + 1));
			}
		}
		for (long each : size)
			if (each < 0)
				throw new IllegalArgumentException("an object without a size");
		return size;
	}

	void answer(int proofs) {
		int[] distance = distances(-1);
		long[] retained = retained();
		long all = reached(distance);
		for (int i = 0; i < proofs; i++) {
			int row = (int)((long)count * i / proofs);
			if (distance[row] >= 0 && all - reached(distances(row)) != retained[row])
				throw new IllegalStateException("row " + row + " by the definition");
		}
		PrintStream out = new PrintStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16));
		for (int row = 0; row < count; row++)
			out.println(heap.id(row) + "\t" + (distance[row] < 0 ? "-\t-" : distance[row] + "\t" + retained[row]));
		out.flush();
	}

	/* Takes out of a dump what people may see in two ways, so that one answer is right:
	 * - referents (VisualVM's paths do not follow them, its dominators do), signers and domains of classes (VisualVM does not know them);
	 * - references to roots, which change no distance and no dominator (VisualVM lets an object hold a root that nothing else refers to);
	 * - what garbage refers to (VisualVM lets garbage hold);
	 * - all classes are made roots (in VisualVM a class is held by the first of its objects alone).
	 * VisualVM believes sizes that a class states, so these are stated, that of Object as its header.  So that no object has that
	 * size, those of Object become ones of another class without fields. */
	static void plain(Hprof heap, long[] size, Path file, Path copy) throws IOException {
		ByteBuffer out = ByteBuffer.wrap(Files.readAllBytes(file));
		Hprof.Type object = heap.byName.get("java/lang/Object");
		Hprof.Type other = heap.types.values().stream()
			.filter(type -> type.superclass == object.id && type.fields.isEmpty() && !type.name.startsWith("["))
			.min(Comparator.comparing(type -> type.name)).get();
		Set<Long> roots = new HashSet<>(heap.roots);
		roots.addAll(heap.types.keySet());
		int[] taken = {0};
		for (int row = 0; row < heap.count; row++) {
			heap.references(row, (kind, to, at) -> {
				boolean differs = kind == Hprof.Kind.REFERENT || kind == Hprof.Kind.RIGHTS || roots.contains(to);
				if (differs && at >= 0 && kind != Hprof.Kind.SUPERCLASS) {
					out.putLong(at, 0);
					taken[0]++;
				}
			});
			if (heap.tag(row) == Hprof.INSTANCE) {
				Hprof.Type type = heap.typeOf(row) == object ? other : heap.typeOf(row);
				out.putLong(heap.place[row] + 12, type.id);
				out.putInt(type.at + Hprof.PARTS + 6 * 8, (int)size[row]);
			}
		}
		out.putInt(object.at + Hprof.PARTS + 6 * 8, 12);
		ByteArrayOutputStream more = new ByteArrayOutputStream();
		DataOutputStream record = new DataOutputStream(more);
		for (long type : heap.types.keySet()) {
			record.writeByte(5);
			record.writeLong(type);
		}
		clean(out, roots);
		write(out, heap, more.toByteArray(), copy);
		System.out.println(taken[0]);
	}

	/* What no root reaches refers to nothing. */
	private static void clean(ByteBuffer out, Set<Long> roots) {
		Hprof heap = new Hprof(out);
		heap.roots.addAll(roots);
		PlainGraph graph = new PlainGraph(heap, new long[heap.count]);
		int[] distance = graph.distances(-1);
		for (int row = 0; row < heap.count; row++)
			if (distance[row] < 0)
				heap.references(row, (kind, to, at) -> {
					if (at >= 0 && kind != Hprof.Kind.SUPERCLASS)
						out.putLong(at, 0);
				});
	}

	private static void write(ByteBuffer out, Hprof heap, byte[] roots, Path copy) throws IOException {
		int header = 0;
		while (out.get(header) != 0)
			header++;
		int at = header + 13;
		try (OutputStream file = new BufferedOutputStream(Files.newOutputStream(copy), 1 << 16)) {
			byte[] bytes = out.array();
			file.write(bytes, 0, at);
			boolean added = false;
			for (int size; at < bytes.length; at += size) {
				size = 9 + out.getInt(at + 5);
				if (bytes[at] == 0x1c && !added) { /* before the first segment, one of our own */
					file.write(ByteBuffer.allocate(9).put((byte)0x1c).putInt(0).putInt(roots.length).array());
					file.write(roots);
					added = true;
				}
				file.write(bytes, at, size);
			}
		}
	}

	public static void main(String[] arguments) throws IOException {
		Path file = Path.of(arguments[1]);
		Hprof heap = Hprof.open(file);
		long[] size = sizes(heap, arguments[2]);
		if (arguments[0].equals("plain"))
			plain(heap, size, file, Path.of(arguments[3]));
		else
			new PlainGraph(heap, size).answer(arguments.length > 3 ? Integer.parseInt(arguments[3]) : 0);
	}
}

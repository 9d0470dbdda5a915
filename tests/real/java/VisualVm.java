/* Asks VisualVM's heap library.
 * VisualVm rows FILE COUNT: "id distance retained size" of COUNT objects, spread over the heap; "-" where no root reaches one.
 * VisualVm types FILE: "count bytes class".
 * VisualVm time types|retained FILE: seconds that these totals, or all retained sizes, take from the opening on, elapsed and of the processor. */
import com.sun.management.OperatingSystemMXBean;
import java.io.*;
import java.lang.management.ManagementFactory;
import java.nio.file.*;
import java.util.*;
import org.graalvm.visualvm.lib.jfluid.heap.*;

public class VisualVm {
	final Heap heap;
	final Map<Long, Integer> distances = new HashMap<>();
	final Set<Long> roots = new HashSet<>();

	VisualVm(String file) throws IOException {
		heap = HeapFactory.createHeap(new File(file));
		for (GCRoot root : heap.getGCRoots())
			if (root.getInstance() != null)
				roots.add(root.getInstance().getInstanceId());
	}

	/* Steps to the nearest root: from one nearest step to the next; -1: there is none. */
	int distance(Instance instance) {
		Deque<Long> way = new ArrayDeque<>();
		Integer known = null;
		while (known == null) {
			if (instance == null)
				known = -1;
			else if (roots.contains(instance.getInstanceId()))
				distances.put(instance.getInstanceId(), known = 0);
			else if ((known = distances.get(instance.getInstanceId())) == null) {
				way.push(instance.getInstanceId());
				instance = instance.getNearestGCRootPointer();
			}
		}
		for (long id : way)
			distances.put(id, known = known < 0 ? -1 : known + 1);
		return known;
	}

	void rows(PrintStream out, int wanted) {
		long count = 0, k = 0;
		for (Iterator<Instance> all = heap.getAllInstancesIterator(); all.hasNext(); all.next())
			count++;
		long row = 0;
		for (Iterator<Instance> all = heap.getAllInstancesIterator(); all.hasNext(); row++) {
			Instance instance = all.next();
			if (row != k * count / wanted)
				continue;
			k++;
			int distance = distance(instance);
			out.println(instance.getInstanceId() + "\t" + (distance < 0 ? "-\t-" : distance + "\t" + instance.getRetainedSize()) + "\t"
				+ instance.getSize());
		}
	}

	void types(PrintStream out) {
		for (JavaClass type : heap.getAllClasses())
			if (type.getInstancesCount() > 0)
				out.println(type.getInstancesCount() + "\t" + type.getAllInstancesSize() + "\t" + type.getName());
	}

	static long processorTime() { return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getProcessCpuTime(); }

	static void time(String what, String file) throws IOException {
		long start = System.nanoTime(), processor = processorTime();
		VisualVm heap = new VisualVm(file);
		if (what.equals("types"))
			heap.types(new PrintStream(OutputStream.nullOutputStream()));
		else
			heap.heap.getBiggestObjectsByRetainedSize(20);
		System.out.printf("%.6f %.6f%n", (System.nanoTime() - start) / 1e9, (processorTime() - processor) / 1e9);
	}

	public static void main(String[] arguments) throws Exception {
		if (arguments[0].equals("time")) {
			time(arguments[1], arguments[2]);
			return;
		}
		PrintStream out = new PrintStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16));
		VisualVm heap = new VisualVm(arguments[1]);
		if (arguments[0].equals("types"))
			heap.types(out);
		else
			heap.rows(out, Integer.parseInt(arguments[2]));
		out.flush();
	}
}

/* Thirty virtual threads wait, each with an object in a variable.  Threads FILE: dumps its heap to the file. */
import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;
import java.util.*;
import java.util.concurrent.CountDownLatch;

public class Threads {
	record Held(int number) {
	}

	static void work(int number, CountDownLatch ready) {
		Held held = new Held(number);
		ready.countDown();
		try {
			Thread.sleep(Long.MAX_VALUE);
		} catch (InterruptedException e) {
			System.out.println(held);
		}
	}

	public static void main(String[] arguments) throws Exception {
		Object builder = Thread.class.getMethod("ofVirtual").invoke(null); /* since JDK 21 */
		var start = Class.forName("java.lang.Thread$Builder").getMethod("start", Runnable.class);
		List<Object> threads = new ArrayList<>();
		CountDownLatch ready = new CountDownLatch(30);
		for (int i = 0; i < 30; i++) {
			int number = i;
			threads.add(start.invoke(builder, (Runnable) () -> work(number, ready)));
		}
		ready.await();
		while (threads.stream().anyMatch(t -> ((Thread) t).getState() != Thread.State.TIMED_WAITING))
			Thread.sleep(10);
		ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class).dumpHeap(arguments[0], false);
		System.exit(0);
	}
}

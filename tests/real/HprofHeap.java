/* A service with a leak: sessions that its static cache never gives up.  HprofHeap SESSIONS: builds the heap, prints "ready", and waits. */
import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.SoftReference;
import java.lang.ref.WeakReference;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.LongAccumulator;

public class HprofHeap {
	static final Map<Integer, Session> sessionCache = new HashMap<>();
	static final List<Object> keep = new ArrayList<>();

	static class Session {
		String user;
		long since;
		byte[] token = new byte[24];
		List<Object> items = new ArrayList<>();
		Session next;
		boolean open;
		short port;
		char mark;
		double load;

		Session(int i) {
			user = "user" + i;
			since = i;
			items.add(i * 1000);
		}
	}

	static class LongSession extends Session {
		byte retries;
		int limit;

		LongSession(int i) {
			super(i);
		}
	}

	static class Twin {
		Object one = new Object();
	}

	/* Loads its own Twin, whatever others have. */
	static class TwinLoader extends ClassLoader {
		Class<?> twin() throws Exception {
			byte[] bytes = HprofHeap.class.getResourceAsStream("HprofHeap$Twin.class").readAllBytes();
			return defineClass("HprofHeap$Twin", bytes, 0, bytes.length);
		}
	}

	static void twins() throws Exception {
		for (int i = 0; i < 5; i++)
			keep.add(new Twin());
		for (int loader = 0; loader < 2; loader++) {
			var made = new TwinLoader().twin().getDeclaredConstructor();
			made.setAccessible(true);
			for (int i = 0; i < 7 + loader; i++)
				keep.add(made.newInstance());
		}
	}

	static void others() throws Exception {
		twins();
		for (int i = 0; i < 1000; i++) {
			keep.add(new WeakReference<>(sessionCache.get(i)));
			keep.add(new SoftReference<>("soft" + i));
			keep.add(new PhantomReference<>(new Object(), new ReferenceQueue<>()));
			keep.add(new TreeMap<>(Map.of(1, "x", 2, "y")));
			keep.add(new ConcurrentHashMap<>(Map.of("k" + i, i)));
			keep.add("grüße € horse battery " + i);
			keep.add(new Object[i % 7][i % 5]);
			keep.add(new long[i]);
			keep.add(new double[i % 9]);
			keep.add(new char[i % 11]);
			keep.add(new BitSet(i));
		}
	}

	/* Objects that have cache lines of their own. */
	static void padded() throws Exception {
		/* Its thread does not go away after a minute. */
		ForkJoinPool pool = new ForkJoinPool(1, ForkJoinPool.defaultForkJoinWorkerThreadFactory, null, false, 1, 1, 1, null, 1, TimeUnit.DAYS);
		keep.add(pool);
		pool.submit(() -> {}).get();
		Exchanger<Object> exchanger = new Exchanger<>();
		keep.add(exchanger);
		try {
			exchanger.exchange("nobody", 1, TimeUnit.MILLISECONDS);
		} catch (TimeoutException e) {
		}
		/* It gets a cell where two are added at once, as its own function does here. */
		LongAccumulator[] sum = new LongAccumulator[1];
		sum[0] = new LongAccumulator((before, more) -> {
			if (more == 1)
				sum[0].accumulate(2);
			return before + more;
		}, 0);
		sum[0].accumulate(1);
		keep.add(sum[0]);
		SubmissionPublisher<Object> publisher = new SubmissionPublisher<>(pool, 4);
		keep.add(publisher);
		publisher.subscribe(new Flow.Subscriber<>() {
			public void onSubscribe(Flow.Subscription subscription) {
			}
			public void onNext(Object item) {
			}
			public void onError(Throwable error) {
			}
			public void onComplete() {
			}
		});
	}

	public static void main(String[] arguments) throws Exception {
		int count = Integer.parseInt(arguments[0]);
		for (int i = 0; i < count; i++)
			sessionCache.put(i, i % 3 == 0 ? new LongSession(i) : new Session(i));
		others();
		padded();
		Thread holder = new Thread(() -> {
			Object held = new Session(77);
			synchronized (held) {
				try {
					Thread.sleep(Long.MAX_VALUE);
				} catch (InterruptedException e) {
					System.out.println(held);
				}
			}
		}, "holder thread");
		holder.setDaemon(true);
		holder.start();
		while (holder.getState() != Thread.State.TIMED_WAITING)
			Thread.sleep(10);
		System.out.println("ready");
		Thread.sleep(Long.MAX_VALUE);
	}
}

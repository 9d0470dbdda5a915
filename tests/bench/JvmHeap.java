/* A service's heap for measurements: JvmHeap OBJECTS OUT builds about that many objects and dumps them to OUT. */
import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;
import java.lang.ref.*;
import java.util.*;
import java.util.concurrent.*;

public class JvmHeap {
	enum State { OPEN, PAID, SENT, DONE }

	static class Customer {
		long id;
		String name, city;
		Map<String, String> settings = new HashMap<>();
		List<Order> orders = new ArrayList<>();
		Customer invitedBy;
		SoftReference<Customer> twin;
	}

	static class Order {
		long time;
		double sum;
		State state;
		Customer customer;
		Item[] items;
		LinkedList<String> history = new LinkedList<>();
	}

	static class Item {
		int count;
		Integer price;
		Product product;
		Item(int count, Integer price, Product product) {
			this.count = count;
			this.price = price;
			this.product = product;
		}
	}

	static class Product {
		String name;
		byte[] picture;
		Set<Integer> sizes = new TreeSet<>();
	}

	static final Random random = new Random(1);
	static final List<Product> products = new ArrayList<>();
	static final Map<Long, Customer> customers = new HashMap<>();
	static final Map<Customer, Object[]> sessions = new WeakHashMap<>();
	static final ConcurrentMap<String, Order> index = new ConcurrentHashMap<>();
	static final ArrayDeque<WeakReference<Order>> recent = new ArrayDeque<>();

	static void addProducts(int count) {
		for (int i = 0; i < count; i++) {
			Product product = new Product();
			product.name = "product " + i;
			product.picture = new byte[random.nextInt(200)];
			for (int size = random.nextInt(6); size > 0; size--)
				product.sizes.add(30 + random.nextInt(20));
			products.add(product);
		}
	}

	static Order order(Customer customer) {
		Order order = new Order();
		order.time = random.nextLong();
		order.state = State.values()[random.nextInt(4)];
		order.customer = customer;
		order.items = new Item[1 + random.nextInt(4)];
		for (int i = 0; i < order.items.length; i++)
			order.items[i] = new Item(random.nextInt(9), random.nextInt(100000), products.get(random.nextInt(products.size())));
		for (int i = order.state.ordinal(); i >= 0; i--)
			order.history.add("state " + i + " at " + random.nextInt(1000000));
		return order;
	}

	/* Some 64 objects. */
	static void addCustomer(long id) {
		Customer customer = new Customer();
		customer.id = id;
		customer.name = "customer " + id;
		customer.city = ("city " + random.nextInt(500)).intern();
		for (int i = random.nextInt(5); i > 0; i--)
			customer.settings.put("setting" + random.nextInt(50), "value " + random.nextInt());
		if (id > 0)
			customer.invitedBy = customers.get((long) (id * random.nextDouble()));
		if (random.nextInt(10) == 0)
			customer.twin = new SoftReference<>(customer.invitedBy);
		for (int i = random.nextInt(6); i > 0; i--) {
			Order order = order(customer);
			customer.orders.add(order);
			if (random.nextInt(2) == 0)
				index.put("order " + id + "/" + i, order);
			if (random.nextInt(20) == 0)
				recent.add(new WeakReference<>(order));
		}
		customers.put(id, customer);
		if (random.nextInt(3) == 0)
			sessions.put(customer, new Object[] {new int[random.nextInt(8)], new StringBuilder("session"), id});
	}

	static void startThreads() throws InterruptedException {
		CountDownLatch started = new CountDownLatch(20);
		for (int i = 0; i < 20; i++) {
			long first = i;
			Thread thread = new Thread(() -> {
				Customer mine = customers.get(first);
				synchronized (mine) {
					started.countDown();
					try {
						Thread.sleep(Long.MAX_VALUE);
					} catch (InterruptedException e) {
						System.out.println(mine);
					}
				}
			}, "worker " + i);
			thread.setDaemon(true);
			thread.start();
		}
		started.await();
	}

	public static void main(String[] arguments) throws Exception {
		long objects = Long.parseLong(arguments[0]);
		addProducts((int) (objects / 1000));
		for (long id = 0; id < objects / 64; id++)
			addCustomer(id);
		startThreads();
		ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class).dumpHeap(arguments[1], true);
	}
}

/* The Java compiler at work: HprofJavac FILES OUT compiles so many generated files and dumps the heap to OUT. */
import com.sun.management.HotSpotDiagnosticMXBean;
import com.sun.source.util.JavacTask;
import java.lang.management.ManagementFactory;
import java.nio.file.*;
import java.util.*;
import javax.tools.*;

public class HprofJavac {
	static Object keep;

	static String source(int file) {
		StringBuilder s = new StringBuilder("package gen; import java.util.*;\npublic class C" + file + " extends AbstractList<String> {\n");
		for (int m = 0; m < 40; m++)
			s.append("  private final Map<String, List<Integer>> field" + m + " = new HashMap<>();\n  public int method" + m
				+ "(int x, String name) {\n    int sum = 0;\n    for (int i = 0; i < x; i++) {\n      sum += name.length() * i + field"
				+ m + ".size();\n      if (sum > " + m * file + ") return field" + m + ".computeIfAbsent(name + \"key" + file + "_" + m
				+ "\", k -> new ArrayList<>()).size();\n    }\n    return sum;\n  }\n");
		return s + "  public String get(int i) { return \"\" + i; }\n  public int size() { return 0; }\n}\n";
	}

	public static void main(String[] arguments) throws Exception {
		Path folder = Path.of(arguments[1] + ".d");
		Files.createDirectories(folder);
		List<Path> files = new ArrayList<>();
		for (int i = 0; i < Integer.parseInt(arguments[0]); i++)
			files.add(Files.writeString(folder.resolve("C" + i + ".java"), source(i)));
		JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
		StandardJavaFileManager manager = compiler.getStandardFileManager(null, null, null);
		JavacTask task = (JavacTask) compiler.getTask(null, manager, null, List.of("-d", folder.toString()), null,
			manager.getJavaFileObjectsFromPaths(files));
		keep = new Object[] {task.parse(), task.analyze(), task, manager};
		ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class).dumpHeap(arguments[1], true);
	}
}

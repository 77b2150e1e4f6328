using System.Globalization;
using AspireStreaming.TestSupport;

namespace AspireStreaming.FailureSuite.Tests.Mixed;

/// <summary>What the run says while it runs, in <c>artifacts/mixed-run/progress.log</c>: a test's console is shown only at its end.</summary>
internal sealed class MixedRunLog : IDisposable
{
    private readonly StreamWriter _file;
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly Lock _lock = new();

    public MixedRunLog(TimeProvider time)
    {
        Directory.CreateDirectory(Folder);
        _file = new StreamWriter(Path.Combine(Folder, "progress.log"), append: false) { AutoFlush = true };
        _time = time;
        _start = time.GetTimestamp();
    }

    public static string Folder { get; } = Path.Combine(RepositoryPaths.Artifacts, "mixed-run");

    public void Dispose() => _file.Dispose();

    public void Write(string text)
    {
        lock (_lock)
        {
            _file.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{_time.GetElapsedTime(_start):hh\\:mm\\:ss} {text}"));
        }
    }

    /// <summary>Writes the table of the finished run, to the log too.</summary>
    public void WriteReport(string report)
    {
        File.WriteAllText(Path.Combine(Folder, "report.md"), report);
        Write($"the end{Environment.NewLine}{report}");
    }
}

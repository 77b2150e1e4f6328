using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using AspireStreaming.TestSupport;

namespace AspireStreaming.FailureSuite.Tests.Running;

/// <summary>The table of a run: one row a scenario.</summary>
internal sealed class SuiteReport
{
    private readonly ConcurrentQueue<ScenarioResult> _results = new();

    public static string Folder { get; } = Path.Combine(RepositoryPaths.Artifacts, "failure-suite");

    public void Add(ScenarioResult result) => _results.Enqueue(result);

    /// <summary>Writes <c>artifacts/failure-suite/report.md</c>.</summary>
    public async Task WriteAsync()
    {
        if (_results.IsEmpty)
        {
            return;
        }

        Directory.CreateDirectory(Folder);
        await File.WriteAllTextAsync(Path.Combine(Folder, "report.md"), ToString());
    }

    public override string ToString()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{(SuiteSettings.IsFull ? "Full" : "Short")} form, seed {SuiteSettings.Seed}.");
        text.AppendLine();
        text.AppendLine("| Scenario | Acknowledged | Delivered | Lost | Announced | Duplicated | Recovery | |");
        text.AppendLine("|---|--:|--:|--:|--:|--:|--:|---|");
        foreach (var result in _results)
        {
            text.AppendLine(
                CultureInfo.InvariantCulture,
                $"| {result.Scenario} | {result.History.Acknowledged} | {result.History.Delivered} | {result.History.Lost} | {result.History.Announced} | {result.History.Duplicated} | {result.Recovery.TotalSeconds:0.0} s | {(result.History.IsClean ? "" : "**faults**")} |");
        }

        return text.ToString();
    }
}

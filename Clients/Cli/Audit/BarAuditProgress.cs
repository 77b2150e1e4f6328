using Spectre.Console;

namespace AspireStreaming.Cli.Audit;

/// <summary>A bar on the terminal's error stream.</summary>
internal sealed class BarAuditProgress(CliHost host) : IAuditProgress
{
    private readonly IAnsiConsole _console = host.CreateConsole(host.Error, terminal: true);
    private readonly Lock _lock = new();
    private ProgressTask? _task;

    public Task RunAsync(Func<Task> audit) =>
        _console.Progress()
            .AutoRefresh(true)
            .Columns(
                new TaskDescriptionColumn { Alignment = Justify.Left },
                new ProgressBarColumn { Width = 24 },
                new PercentageColumn(),
                new SpinnerColumn())
            .StartAsync(async context =>
            {
                _task = context.AddTask("streams", maxValue: 1);
                _task.IsIndeterminate = true;
                await audit();
            });

    public void Listed(int streams)
    {
        if (_task is { } task)
        {
            task.Description = $"{streams:N0} streams found";
        }
    }

    public void Audited(int done, int streams, int withFindings)
    {
        if (_task is not { } task)
        {
            return;
        }

        lock (_lock)
        {
            // Counts of several threads may come out of order; the bar goes forward only.
            task.IsIndeterminate = false;
            task.MaxValue = Math.Max(streams, 1);
            if (done >= task.Value)
            {
                task.Value = done;
                task.Description = $"{done:N0} of {streams:N0} streams, {withFindings:N0} with findings";
            }
        }
    }

    public void Note(string message) => _console.MarkupLineInterpolated($"[yellow]{message}[/]");
}

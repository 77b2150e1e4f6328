using Spectre.Console;

namespace AspireStreaming.Cli.Publish;

/// <summary>A bar on the terminal's error stream.</summary>
/// <param name="host">The process.</param>
/// <param name="name">Name of the input.</param>
/// <param name="inputBytes">Size of the input; null when unknown.</param>
internal sealed class BarProgress(CliHost host, string name, long? inputBytes) : IPublishProgress
{
    private readonly IAnsiConsole _console = host.CreateConsole(host.Error, terminal: true);
    private readonly long _started = host.Time.GetTimestamp();
    private ProgressTask? _task;

    public Task RunAsync(Func<Task> publication) =>
        _console.Progress()
            .AutoRefresh(true)
            .Columns(
                new TaskDescriptionColumn { Alignment = Justify.Left },
                new ProgressBarColumn { Width = 24 },
                new PercentageColumn(),
                new SpinnerColumn())
            .StartAsync(async context =>
            {
                _task = context.AddTask(Markup.Escape(name), maxValue: Math.Max(inputBytes ?? 1, 1));
                _task.IsIndeterminate = inputBytes is null;
                await publication();
                _task.IsIndeterminate = false;
                _task.Value = _task.MaxValue;
            });

    public void Acknowledged(PublishTotals totals)
    {
        if (_task is null)
        {
            return;
        }

        _task.Description = Markup.Escape(
            $"{name}  {totals.Acknowledged:N0} acknowledged  {PublishRate.Format(totals, host.Time.GetElapsedTime(_started))}");
        if (inputBytes is not null)
        {
            _task.Value = Math.Min(totals.Bytes, _task.MaxValue);
        }
    }

    public void Note(string message) => _console.MarkupLineInterpolated($"[yellow]{message}[/]");
}

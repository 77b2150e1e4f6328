namespace AspireStreaming.Cli.Publish;

/// <summary>A line every few seconds, for logs and pipes.</summary>
/// <param name="host">The process.</param>
/// <param name="inputBytes">Size of the input; null when unknown.</param>
internal sealed class LineProgress(CliHost host, long? inputBytes) : IPublishProgress
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly long _started = host.Time.GetTimestamp();
    private long _lastLine = host.Time.GetTimestamp();

    public Task RunAsync(Func<Task> publication) => publication();

    public void Acknowledged(PublishTotals totals)
    {
        if (host.Time.GetElapsedTime(_lastLine) < Interval)
        {
            return;
        }

        _lastLine = host.Time.GetTimestamp();
        var share = inputBytes > 0 ? $" ({100 * totals.Bytes / inputBytes}%)" : "";
        var rate = PublishRate.Format(totals, host.Time.GetElapsedTime(_started));
        host.Error.WriteLine($"{totals.Acknowledged:N0} acknowledged{share}, {rate}");
    }

    public void Note(string message) => host.WriteNote(message);
}

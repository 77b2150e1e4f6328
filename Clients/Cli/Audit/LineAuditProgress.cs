namespace AspireStreaming.Cli.Audit;

/// <summary>A line every few seconds, for logs and pipes.</summary>
internal sealed class LineAuditProgress(CliHost host) : IAuditProgress
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private long _lastLine = host.Time.GetTimestamp();

    public Task RunAsync(Func<Task> audit) => audit();

    public void Listed(int streams) => Write($"{streams:N0} streams found");

    public void Audited(int done, int streams, int withFindings) => Write($"{done:N0} of {streams:N0} streams audited, {withFindings:N0} with findings");

    public void Note(string message)
    {
        lock (_lock)
        {
            host.WriteNote(message);
        }
    }

    private void Write(string line)
    {
        lock (_lock)
        {
            if (host.Time.GetElapsedTime(_lastLine) >= Interval)
            {
                _lastLine = host.Time.GetTimestamp();
                host.Error.WriteLine(line);
            }
        }
    }
}

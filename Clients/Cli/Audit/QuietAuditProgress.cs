namespace AspireStreaming.Cli.Audit;

/// <summary>Shows nothing.</summary>
internal sealed class QuietAuditProgress : IAuditProgress
{
    public Task RunAsync(Func<Task> audit) => audit();

    public void Listed(int streams)
    {
    }

    public void Audited(int done, int streams, int withFindings)
    {
    }

    public void Note(string message)
    {
    }
}

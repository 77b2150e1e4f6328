namespace AspireStreaming.Cli.Publish;

/// <summary>Shows nothing.</summary>
internal sealed class QuietProgress : IPublishProgress
{
    public Task RunAsync(Func<Task> publication) => publication();

    public void Acknowledged(PublishTotals totals)
    {
    }

    public void Note(string message)
    {
    }
}

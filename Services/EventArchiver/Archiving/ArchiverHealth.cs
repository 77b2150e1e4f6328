using AspireStreaming.ServiceDefaults.Health;

namespace AspireStreaming.EventArchiver.Archiving;

/// <summary>The archiver's numbers in <c>/health</c>: events archived, and the ends of streams among them.</summary>
internal sealed class ArchiverHealth(ArchiverMetrics metrics) : IHealthDetails
{
    public StreamHealth Stream => new(TotalMessages: metrics.Archived);

    public WorkflowHealth Workflows
    {
        get
        {
            var (completed, failed, cancelled, ended) = metrics.Ends;
            return new WorkflowHealth(completed + failed + cancelled + ended, 0, completed, failed, cancelled);
        }
    }
}

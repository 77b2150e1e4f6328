using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Statistics;

/// <summary>Counts the runs whose end arrived while this replica followed them. Thread-safe.</summary>
internal sealed class WorkflowTally
{
    private long _completed;
    private long _failed;
    private long _cancelled;
    private long _ended;

    /// <summary>Runs ended by <c>WORKFLOW_COMPLETED</c>.</summary>
    public long Completed => Interlocked.Read(ref _completed);

    /// <summary>Runs ended by <c>WORKFLOW_FAILED</c>.</summary>
    public long Failed => Interlocked.Read(ref _failed);

    /// <summary>Runs ended by <c>WORKFLOW_CANCELLED</c>.</summary>
    public long Cancelled => Interlocked.Read(ref _cancelled);

    /// <summary>Runs ended in any way.</summary>
    public long Ended => Completed + Failed + Cancelled + Interlocked.Read(ref _ended);

    /// <summary>A run ended.</summary>
    /// <param name="type">The type of its terminal event.</param>
    public void Add(string type)
    {
        switch (StreamStates.AfterTerminal(type))
        {
            case StreamStates.Completed:
                Interlocked.Increment(ref _completed);
                break;
            case StreamStates.Failed:
                Interlocked.Increment(ref _failed);
                break;
            case StreamStates.Cancelled:
                Interlocked.Increment(ref _cancelled);
                break;
            default:
                Interlocked.Increment(ref _ended);
                break;
        }
    }
}

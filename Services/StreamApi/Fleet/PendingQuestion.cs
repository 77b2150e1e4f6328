namespace AspireStreaming.StreamApi.Fleet;

/// <summary>A question that waits for the other replicas' answers. Thread-safe.</summary>
/// <param name="expected">Who is expected to answer.</param>
/// <param name="maxReplies">Most answers that are taken; others than the expected may answer too.</param>
/// <param name="isEnough">Whether an answer makes all others superfluous.</param>
internal sealed class PendingQuestion(IReadOnlyList<Replica> expected, int maxReplies, Func<FleetReply, bool> isEnough)
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, FleetReply> _replies = new(StringComparer.Ordinal);
    private bool _isEnough;

    /// <summary>Completes when everybody has answered.</summary>
    public Task Done => _done.Task;

    /// <summary>Takes an answer.</summary>
    public void Add(FleetReply reply)
    {
        lock (_lock)
        {
            if (_replies.Count < maxReplies)
            {
                _replies.TryAdd(reply.Replica, reply);
            }

            _isEnough |= isEnough(reply);
            if (_isEnough || expected.All(replica => _replies.ContainsKey(replica.Id)))
            {
                _done.TrySetResult();
            }
        }
    }

    /// <summary>The answers so far, and the names of those whose answer is missing.</summary>
    public (IReadOnlyList<FleetReply> Replies, IReadOnlyList<string> Unanswered) Take()
    {
        lock (_lock)
        {
            return (
                [.. _replies.Values],
                _isEnough ? [] : [.. expected.Where(replica => !_replies.ContainsKey(replica.Id)).Select(replica => replica.Name).Order(StringComparer.Ordinal)]);
        }
    }
}

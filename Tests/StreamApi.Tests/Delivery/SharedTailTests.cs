using System.Collections.Concurrent;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.TestSupport;

namespace AspireStreaming.StreamApi.Tests.Delivery;

public sealed class SharedTailTests
{
    private readonly ConcurrentQueue<TaskCompletionSource<StreamTail>> _questions = new();
    private readonly SharedTail _tail;

    public SharedTailTests() => _tail = new SharedTail(() =>
    {
        var question = new TaskCompletionSource<StreamTail>(TaskCreationOptions.RunContinuationsAsynchronously);
        _questions.Enqueue(question);
        return question.Task;
    });

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ReadAsync_those_who_ask_while_one_is_under_way_share_the_next()
    {
        var first = _tail.ReadAsync();
        var others = Enumerable.Range(0, 1_000).Select(_ => _tail.ReadAsync()).ToArray();

        // The first answer may be older than their question.
        Assert.Single(_questions);
        Question().SetResult(At(1));
        Assert.Equal(1, (await first).Last.Sequence);
        await Eventually.TrueAsync(() => _questions.Count == 1, TimeSpan.FromSeconds(10), "the next question is put", Cancelled);
        Assert.All(others, other => Assert.False(other.IsCompleted));
        Question().SetResult(At(2));

        Assert.All(await Task.WhenAll(others), tail => Assert.Equal(2, tail.Last.Sequence));
        Assert.Empty(_questions);
    }

    [Fact]
    public async Task ReadAsync_a_failure_is_told_to_those_who_asked_and_to_nobody_else()
    {
        var failing = _tail.ReadAsync();
        Question().SetException(new InvalidOperationException("away"));
        await Assert.ThrowsAsync<InvalidOperationException>(() => failing);

        var next = _tail.ReadAsync();
        await Eventually.TrueAsync(() => _questions.Count == 1, TimeSpan.FromSeconds(10), "the next question is put", Cancelled);
        Question().SetResult(At(3));

        Assert.Equal(3, (await next).Last.Sequence);
    }

    private TaskCompletionSource<StreamTail> Question() => _questions.TryDequeue(out var question) ? question : throw new InvalidOperationException("Nothing was asked.");

    private static StreamTail At(long sequence) => new(new StreamPosition(10, sequence), null, false);
}

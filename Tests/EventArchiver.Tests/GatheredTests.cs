using AspireStreaming.Archive;
using AspireStreaming.TestSupport;

namespace AspireStreaming.EventArchiver.Tests;

public sealed class GatheredTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly List<(IReadOnlyList<int> Questions, TaskCompletionSource Answer, CancellationToken Token)> _rounds = [];
    private readonly Gathered<int, string> _gathered;

    public GatheredTests()
    {
        _gathered = new(
            async (questions, token) =>
            {
                var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                lock (_rounds)
                {
                    _rounds.Add((questions, answer, token));
                }

                await answer.Task;
                return [.. questions.Select(question => $"{question}!")];
            },
            enough: 3,
            mostUnderWay: 2);
    }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Questions_that_come_while_one_is_under_way_are_asked_together_after_it_or_beside_it_when_they_are_many()
    {
        var asked = Enumerable.Range(0, 3).Select(number => _gathered.AskAsync(number, Cancelled)).ToList();
        Assert.Equal([0], Assert.Single(_rounds).Questions);

        _rounds[0].Answer.SetResult();
        await RoundsAsync(2);
        Assert.Equal([1, 2], _rounds[1].Questions);
        Assert.Equal("0!", await asked[0]);
        Assert.All(asked[1..], task => Assert.False(task.IsCompleted));

        // Three are enough for a round beside it, and two rounds are the most.
        asked.AddRange(Enumerable.Range(3, 8).Select(number => _gathered.AskAsync(number, Cancelled)));
        Assert.Equal(3, _rounds.Count);
        Assert.Equal([3, 4, 5], _rounds[2].Questions);
        _rounds[2].Answer.SetResult();
        await RoundsAsync(4);
        Assert.Equal([6, 7, 8], _rounds[3].Questions);
        _rounds[1].Answer.SetResult();
        await RoundsAsync(5);
        Assert.Equal([9, 10], _rounds[4].Questions);
        _rounds[3].Answer.SetResult();
        _rounds[4].Answer.SetResult();

        Assert.Equal(Enumerable.Range(0, 11).Select(number => $"{number}!"), await Task.WhenAll(asked).WaitAsync(Patience, Cancelled));
        Assert.Equal(5, _rounds.Count);

        // Nothing is under way any more.
        var last = _gathered.AskAsync(11, Cancelled);
        Assert.Equal([11], _rounds[5].Questions);
        _rounds[5].Answer.SetResult();
        Assert.Equal("11!", await last);
    }

    [Fact]
    public async Task Round_that_all_have_given_up_is_cancelled_and_holds_up_nobody()
    {
        using var patience = new CancellationTokenSource();
        var first = _gathered.AskAsync(0, patience.Token);
        var sameFate = _gathered.AskAsync(1, patience.Token);
        var later = _gathered.AskAsync(2, Cancelled);

        await patience.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sameFate);
        await RoundsAsync(2);
        Assert.Equal([2], _rounds[1].Questions);
        await Eventually.TrueAsync(() => _rounds[0].Token.IsCancellationRequested, Patience, "the first round to be cancelled", Cancelled);
        _rounds[1].Answer.SetResult();
        Assert.Equal("2!", await later.WaitAsync(Patience, Cancelled));

        // The abandoned round's end starts nothing beside what is under way.
        var last = _gathered.AskAsync(3, Cancelled);
        await RoundsAsync(3);
        var next = _gathered.AskAsync(4, Cancelled);
        _rounds[0].Answer.SetException(new TimeoutException());
        Assert.Equal(3, _rounds.Count);
        _rounds[2].Answer.SetResult();
        await RoundsAsync(4);
        _rounds[3].Answer.SetResult();
        Assert.Equal(["3!", "4!"], await Task.WhenAll(last, next).WaitAsync(Patience, Cancelled));
    }

    [Fact]
    public async Task Who_gives_up_does_not_take_the_answer_from_others()
    {
        using var patience = new CancellationTokenSource();
        var first = _gathered.AskAsync(0, Cancelled);
        var others = new[] { _gathered.AskAsync(1, patience.Token), _gathered.AskAsync(2, Cancelled) };
        _rounds[0].Answer.SetResult();
        await RoundsAsync(2);

        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => others[0]);
        Assert.False(_rounds[1].Token.IsCancellationRequested);
        _rounds[1].Answer.SetResult();

        Assert.Equal("0!", await first);
        Assert.Equal("2!", await others[1].WaitAsync(Patience, Cancelled));
    }

    [Fact]
    public async Task Failure_is_told_to_all_of_its_round_and_to_nobody_else()
    {
        var asked = Enumerable.Range(0, 5).Select(number => _gathered.AskAsync(number, Cancelled)).ToArray();
        Assert.Equal([1, 2, 3], _rounds[1].Questions);
        _rounds[1].Answer.SetException(new TimeoutException("away"));
        _rounds[0].Answer.SetResult();
        await RoundsAsync(3);
        _rounds[2].Answer.SetResult();

        Assert.Equal("0!", await asked[0].WaitAsync(Patience, Cancelled));
        foreach (var failed in asked[1..4])
        {
            Assert.Equal("away", (await Assert.ThrowsAsync<TimeoutException>(() => failed.WaitAsync(Patience, Cancelled))).Message);
        }

        Assert.Equal("4!", await asked[4].WaitAsync(Patience, Cancelled));
    }

    private Task RoundsAsync(int count) => Eventually.TrueAsync(
        () =>
        {
            lock (_rounds)
            {
                return _rounds.Count == count;
            }
        },
        Patience,
        $"round {count}",
        Cancelled);
}

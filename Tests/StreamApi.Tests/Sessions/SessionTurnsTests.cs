using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.StreamApi.Sessions;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;

namespace AspireStreaming.StreamApi.Tests.Sessions;

public sealed class SessionTurnsTests
{
    private readonly SessionTurns _turns = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public void Wake_with_few_batches_under_way_wakes_in_this_thread()
    {
        var loop = new Loop();
        var turn = _turns.TurnOf(loop);
        Begin(SessionTurns.MaxUnderWay - 1);

        Wake(loop, turn);

        Assert.Equal((1, true), (loop.Woken, loop.WasInline));
    }

    [Fact]
    public async Task Wake_with_many_batches_under_way_everyone_has_one_turn_in_the_order_in_which_they_came()
    {
        const int Loops = 100;
        var order = new List<int>();
        var loops = Enumerable.Range(0, Loops).Select(index => new Loop(() => order.Add(index))).ToArray();
        var turns = loops.Select(_turns.TurnOf).ToArray();
        Begin(SessionTurns.MaxUnderWay);

        using var gate = new ManualResetEventSlim();
        var first = new Loop(gate.Wait);
        Wake(first, _turns.TurnOf(first));
        for (var index = 0; index < Loops; index++)
        {
            Wake(loops[index], turns[index]);
            Wake(loops[index], turns[index]);
        }

        gate.Set();
        await Eventually.TrueAsync(() => loops[^1].Woken > 0, SseClient.Patience, "all have had their turn", Cancel);

        Assert.Equal(Enumerable.Range(0, Loops), order);
        Assert.All(loops, loop => Assert.Equal((1, false), (loop.Woken, loop.WasInline)));
    }

    [Fact]
    public async Task Turns_go_on_though_no_batch_is_ever_sent_and_are_not_needed_once_all_are()
    {
        // Each that is woken begins a batch, and none of the clients reads.
        var count = 3 * SessionTurns.MaxUnderWay;
        var loops = Enumerable.Range(0, count).Select(_ => new Loop(_turns.Began)).ToArray();
        Begin(SessionTurns.MaxUnderWay);
        foreach (var waiting in loops)
        {
            Wake(waiting, _turns.TurnOf(waiting));
        }

        await Eventually.TrueAsync(() => loops.All(loop => loop.Woken == 1), SseClient.Patience, "all have had their turn", Cancel);
        Assert.All(loops, loop => Assert.False(loop.WasInline));

        for (var ended = 0; ended < count + SessionTurns.MaxUnderWay; ended++)
        {
            _turns.Ended();
        }

        var last = new Loop();
        Wake(last, _turns.TurnOf(last));
        Assert.True(last.WasInline);
    }

    private void Wake(Loop loop, ReaderSignal turn)
    {
        Loop.IsWaking = true;
        _turns.Wake(loop, turn);
        Loop.IsWaking = false;
    }

    private void Begin(int batches)
    {
        for (var count = 0; count < batches; count++)
        {
            _turns.Began();
        }
    }

    private sealed class Loop(Action? woken = null) : ReaderSignal
    {
        [ThreadStatic]
        private static bool _isWaking;

        private int _woken;

        public static bool IsWaking
        {
            set => _isWaking = value;
        }

        public int Woken => Volatile.Read(ref _woken);

        /// <summary>Whether the thread that woke it went into it.</summary>
        public bool WasInline { get; private set; }

        public override void Set()
        {
            WasInline = _isWaking;
            woken?.Invoke();
            Interlocked.Increment(ref _woken);
        }
    }
}

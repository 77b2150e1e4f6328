using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.StreamApi.Sessions;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;

namespace AspireStreaming.StreamApi.Tests.Sessions;

/// <summary>That gRPC sessions take turns, and are counted while they send; how turns are taken is <see cref="SessionTurnsTests"/>'.</summary>
public sealed class GrpcSessionTurnsTests(SharedHost shared)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_acknowledgement_while_many_batches_are_under_way_wakes_the_session_in_its_turn()
    {
        var stream = TestLog.NewStream();
        await shared.Log.AppendNumbersAsync(stream, 1, 2);
        await using var host = await StreamApiHost.StartAsync(shared.Redis);
        await using var client = GrpcSessionClient.Open(host.Grpc);
        await client.SubscribeAsync("1", stream, "start", window: 1);
        await client.ReadAsync("subscribed");
        var first = await client.ReadEventsAsync(1);
        var turns = host.Get<SessionServices>().Turns;
        for (var count = 0; count < SessionTurns.MaxUnderWay; count++)
        {
            turns.Began();
        }

        using var before = new Turn();
        turns.Wake(before, turns.TurnOf(before));
        await Eventually.TrueAsync(() => before.HasBegun, SseClient.Patience, "somebody has a turn", Cancel);
        Assert.False(turns.HasWaiting);

        await client.AckAsync("1", first[0].Position);
        await Eventually.TrueAsync(() => turns.HasWaiting, SseClient.Patience, "the session waits for its turn", Cancel);
        before.Dispose();

        Assert.Equal("2", (await client.ReadEventsAsync(1))[0].Data);
    }

    /// <summary>HTTP/2 takes 64 KiB of a client that does not read: the first batch of 60,000 bytes and a part of the second.</summary>
    [Fact]
    public async Task A_batch_that_was_not_sent_whole_is_under_way()
    {
        const int Count = 10;
        var stream = TestLog.NewStream();
        var data = $"\"{new string('x', 30_000)}\"";

        // So small a buffer has one step in it, which is two of these events.
        await using var host = await StreamApiHost.StartAsync(shared.Redis, "--Sessions:BufferBytes=1024");
        var turns = host.Get<SessionServices>().Turns;
        await using var client = GrpcSessionClient.Open(host.Grpc);
        await client.SubscribeAsync("1", stream, "start", window: 0);
        await client.ReadAsync("subscribed");
        await Eventually.TrueAsync(() => turns.UnderWay == 0, SseClient.Patience, "what was said is sent", Cancel);

        await shared.Log.AppendAsync(stream, [.. Enumerable.Range(0, Count).Select(_ => shared.Log.Event(data: data))]);
        var session = host.Get<ConnectionRegistry>().All.OfType<Session>().Single();
        await Eventually.TrueAsync(
            () => session.Bytes > 4 * data.Length && turns.UnderWay == 1, SseClient.Patience, "the second batch waits for the client", Cancel);

        await client.ReadEventsAsync(Count);
        await Eventually.TrueAsync(() => turns.UnderWay == 0, SseClient.Patience, "all is sent", Cancel);
    }

    /// <summary>Somebody's turn, which takes until it is ended.</summary>
    private sealed class Turn : ReaderSignal, IDisposable
    {
        private readonly TaskCompletionSource _end = new();
        private int _hasBegun;

        public bool HasBegun => Volatile.Read(ref _hasBegun) != 0;

        public void Dispose() => _end.TrySetResult();

        public override void Set()
        {
            Volatile.Write(ref _hasBegun, 1);
            _end.Task.Wait(CancellationToken.None);
        }
    }
}

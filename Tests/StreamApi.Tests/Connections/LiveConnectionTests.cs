using AspireStreaming.StreamApi.Connections;

namespace AspireStreaming.StreamApi.Tests.Connections;

public sealed class LiveConnectionTests
{
    private const long Heartbeat = 15_000;
    private const long PositionInterval = 4_000;
    private const long WriteTimeout = 30_000;

    [Fact]
    public void OnTick_a_write_without_progress_is_cut_after_the_timeout()
    {
        var connection = new FakeConnection();
        connection.Write(at: 1_000);

        Assert.True(Tick(connection, 1_000));
        Assert.True(Tick(connection, 30_500));
        Assert.False(Tick(connection, 31_000));
    }

    [Fact]
    public void OnTick_a_slow_write_that_makes_progress_goes_on()
    {
        var connection = new FakeConnection();
        connection.Write(at: 1_000);

        for (var now = 1_000; now < 200_000; now += 10_000)
        {
            connection.Acknowledged += 100;
            Assert.True(Tick(connection, now));
        }

        Assert.True(Tick(connection, 220_000));
        Assert.False(Tick(connection, 221_001));
    }

    [Fact]
    public void OnTick_time_between_writes_does_not_count()
    {
        var connection = new FakeConnection();
        for (var now = 0; now < 500_000; now += 20_000)
        {
            connection.Write(now);
            Assert.True(Tick(connection, now + 19_000));
            connection.Written(now + 19_000);
        }
    }

    [Fact]
    public void OnTick_a_transport_whose_reader_may_pause_is_not_cut()
    {
        var connection = new FakeConnection { MayPause = true };
        connection.Write(at: 1_000);

        Assert.True(Tick(connection, 1_000_000));
    }

    [Fact]
    public void OnTick_an_expired_connection_is_drained_and_one_that_does_not_end_is_cut()
    {
        var connection = new FakeConnection { MayPause = true, EndsAt = 60_000 };
        connection.Write(at: 1_000);

        Assert.True(Tick(connection, 59_999));
        Assert.Null(connection.Reason);
        Assert.True(Tick(connection, 60_000));
        Assert.Equal("lifetime", connection.Reason);
        Assert.True(Tick(connection, 89_999));
        Assert.False(Tick(connection, 90_000));
    }

    private static bool Tick(FakeConnection connection, long now) => connection.OnTick(now, Heartbeat, PositionInterval, WriteTimeout);

    private sealed class FakeConnection() : LiveConnection("fake", "s", null, null, DateTimeOffset.UnixEpoch)
    {
        public long Acknowledged { get; set; }

        public bool MayPause { get; init; }

        public string? Reason => DrainReason;

        public override IReadOnlyList<StreamFollower> Followers => [];

        protected override bool WritesTimeOut => !MayPause;

        public void Write(long at) => BeginWrite(at);

        public void Written(long at) => EndWrite(at);

        public override void Abort()
        {
        }

        protected override long AcknowledgedBytes() => Acknowledged;
    }
}

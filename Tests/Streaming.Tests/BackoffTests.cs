using AspireStreaming.Streaming.Redis;
using AspireStreaming.Streaming.Redis.Link;
using AspireStreaming.TestSupport;

namespace AspireStreaming.Streaming.Tests;

public sealed class BackoffTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public static TheoryData<int, double, double> Waits => new()
    {
        { 0, 0.5, 1 },
        { 1, 1, 2 },
        { 2, 2, 4 },
        { 3, 4, 8 },
        { 4, 8, 16 },
        { 5, 15, 25 },
        { 6, 15, 25 },
        { 1_000_000, 15, 25 },
    };

    [Theory]
    [MemberData(nameof(Waits))]
    public void Pause_is_drawn_from_the_second_half_of_1_2_4_8_16_30_and_never_over_25(int attempt, double shortest, double longest)
    {
        Assert.Equal(shortest, Backoff.PauseAfter(attempt, 0).TotalSeconds, 6);
        Assert.InRange(Backoff.PauseAfter(attempt, 0.999_999).TotalSeconds, longest - 0.01, longest - 1e-7);
        for (var draw = 0; draw < 100; draw++)
        {
            Assert.InRange(Backoff.PauseAfter(attempt).TotalSeconds, shortest, longest);
        }
    }

    [Fact]
    public void Next_grows_and_a_success_resets_it()
    {
        var backoff = new Backoff();
        foreach (var (shortest, longest) in new[] { (0.5, 1.0), (1, 2), (2, 4), (4, 8), (8, 16), (15, 25), (15, 25) })
        {
            Assert.InRange(backoff.Next().TotalSeconds, shortest, longest);
        }

        Assert.Equal(7, backoff.Failures);
        backoff.Reset();

        Assert.Equal(0, backoff.Failures);
        Assert.InRange(backoff.Next().TotalSeconds, 0.5, 1);
    }

    [Theory]
    [MemberData(nameof(Waits))]
    public async Task Gate_waits_that_long_by_its_clock(int attempt, double shortest, double longest)
    {
        var time = new ManualTime();
        var gate = new RetryGate(time);
        var waiting = gate.WaitAsync(attempt, TestContext.Current.CancellationToken);

        time.Advance(TimeSpan.FromSeconds(shortest) - TimeSpan.FromMilliseconds(1));
        Assert.False(waiting.IsCompleted);
        Assert.True(gate.IsFailing);
        time.Advance(TimeSpan.FromSeconds(longest - shortest) + TimeSpan.FromMilliseconds(1));

        await waiting.WaitAsync(Patience, TimeProvider.System, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Gate_one_success_ends_all_waits()
    {
        var gate = new RetryGate(new ManualTime());
        var waiting = Enumerable.Range(0, 8).Select(attempt => gate.WaitAsync(attempt, TestContext.Current.CancellationToken)).ToArray();

        gate.Succeeded();

        await Task.WhenAll(waiting).WaitAsync(Patience, TimeProvider.System, TestContext.Current.CancellationToken);
        Assert.False(gate.IsFailing);
    }

    [Fact]
    public async Task Gate_a_cancelled_wait_ends_alone()
    {
        var gate = new RetryGate(new ManualTime());
        using var cancelled = new CancellationTokenSource();
        var first = gate.WaitAsync(0, cancelled.Token);
        var second = gate.WaitAsync(0, TestContext.Current.CancellationToken);

        await cancelled.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Assert.False(second.IsCompleted);
        gate.Succeeded();
        await second;
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 2)]
    [InlineData(2, 4)]
    [InlineData(3, 8)]
    [InlineData(4, 16)]
    [InlineData(5, 25)]
    [InlineData(50, 25)]
    public void Reconnect_of_the_client_keeps_the_same_waits(long retries, int longest)
    {
        var policy = new RedisReconnectPolicy(new ManualTime());

        Assert.False(policy.ShouldRetry(retries, Math.Max(999, longest * 500) - 1));
        Assert.True(policy.ShouldRetry(retries, longest * 1_000));
    }

    [Fact]
    public void Reconnect_another_connection_that_came_back_ends_the_wait()
    {
        var time = new ManualTime();
        var policy = new RedisReconnectPolicy(time);
        Assert.False(policy.ShouldRetry(5, 5_000));

        policy.Returned();
        time.Advance(TimeSpan.FromSeconds(2));

        Assert.True(policy.ShouldRetry(5, 5_000));
        Assert.False(policy.ShouldRetry(5, 1_500), "This one was tried after that.");
        Assert.False(policy.ShouldRetry(5, 500));
    }
}

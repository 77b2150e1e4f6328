using AspireStreaming.StreamApi.Sessions;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Tests.Sessions;

public sealed class SlidingWindowTests
{
    private const long Frequency = 1_000_000;

    [Fact]
    public void Credit_falls_with_what_is_sent_and_rises_with_what_is_acknowledged()
    {
        var window = SlidingWindow.Fixed(10);
        for (var number = 1; number <= 10; number++)
        {
            window.OnSent(At(number), number / 4);
        }

        Assert.Equal((10, 0), (window.InFlight, window.Credit));
        Assert.Equal(3, window.OnAcknowledged(At(3), 20));
        Assert.Equal(0, window.OnAcknowledged(At(2), 21));
        Assert.Equal(4, window.OnAcknowledged(At(7), 22));
        Assert.Equal((3, 7), (window.InFlight, window.Credit));
        Assert.Equal(At(7), window.Acknowledged);
    }

    [Fact]
    public void OnAcknowledged_beyond_what_was_sent_means_all_of_it()
    {
        var window = SlidingWindow.Fixed(10);
        window.OnSent(At(1), 0);
        window.OnSent(At(5), 0);

        Assert.Equal(2, window.OnAcknowledged(At(900), 1));
        Assert.Equal(At(5), window.Acknowledged);
        Assert.Equal(0, window.InFlight);
    }

    [Fact]
    public void OnAcknowledged_counts_events_not_sequences_across_holes_and_epochs()
    {
        var window = SlidingWindow.Fixed(100);
        foreach (var position in (StreamPosition[])[new(1, 2), new(1, 3), new(1, 9), new(2, 10), new(2, 11)])
        {
            window.OnSent(position, 0);
        }

        Assert.Equal(2, window.OnAcknowledged(new StreamPosition(1, 8), 1));
        Assert.Equal(2, window.OnAcknowledged(new StreamPosition(2, 10), 1));
        Assert.Equal(1, window.InFlight);
    }

    [Fact]
    public void A_window_of_0_counts_nothing_and_remembers_what_is_acknowledged()
    {
        var window = SlidingWindow.Fixed(0);
        window.OnSent(At(4), 0);
        window.OnAcknowledged(At(9), 1);

        Assert.Equal(int.MaxValue, window.Credit);
        Assert.Equal((0, At(4)), (window.InFlight, window.Acknowledged));
    }

    [Fact]
    public void Random_sending_and_acknowledging_agrees_with_a_plain_list()
    {
        var random = new Random(7);
        for (var run = 0; run < 200; run++)
        {
            var window = random.Next(2) == 0 ? SlidingWindow.Fixed(50) : SlidingWindow.Adaptive(new SessionOptions(), Frequency);
            var sent = new List<StreamPosition>();
            var next = new StreamPosition(1, 0);
            for (var step = 0; step < 200; step++)
            {
                var now = step * 100L;
                for (var count = random.Next(8); count > 0 && window.Credit > 0; count--)
                {
                    next = random.Next(20) == 0 ? new(next.Epoch + 1, next.Sequence + 1) : next with { Sequence = next.Sequence + random.Next(1, 3) };
                    window.OnSent(next, now);
                    sent.Add(next);
                }

                if (sent.Count > 0 && random.Next(2) == 0)
                {
                    var position = sent[random.Next(sent.Count)];
                    Assert.Equal(sent.RemoveAll(item => item <= position), window.OnAcknowledged(position, now + 50));
                }

                Assert.Equal(sent.Count, window.InFlight);
            }
        }
    }

    [Theory]
    [InlineData(100, 0.2, 1)]
    [InlineData(100, 50, 1)]
    [InlineData(10_000, 0.2, 1)]
    [InlineData(10_000, 0.2, 8)]
    [InlineData(10_000, 50, 1)]
    [InlineData(10_000, 50, 8)]
    [InlineData(200_000, 0.2, 1)]
    [InlineData(200_000, 0.2, 8)]
    [InlineData(200_000, 50, 1)]
    [InlineData(200_000, 50, 8)]
    public void Adaptive_is_within_a_quarter_of_the_best_fixed_window(int drainRate, double latencyMilliseconds, int acknowledgeEvery)
    {
        var best = new[] { 16, 256, 4096 }
            .Max(size => WindowSimulation.Deliver(SlidingWindow.Fixed(size), drainRate, latencyMilliseconds, acknowledgeEvery).Delivered);

        var (adaptive, _) = WindowSimulation.Deliver(
            SlidingWindow.Adaptive(new SessionOptions(), Frequency), drainRate, latencyMilliseconds, acknowledgeEvery);

        Assert.True(adaptive >= best * 0.75, $"{adaptive} of {best}");
    }

    [Fact]
    public void Adaptive_shrinks_when_the_client_slows_down_and_grows_when_it_recovers()
    {
        var window = SlidingWindow.Adaptive(new SessionOptions(), Frequency);
        var simulation = new WindowSimulation(window, latencyMilliseconds: 20, acknowledgeEvery: 1);

        simulation.Run(seconds: 5, drainRate: 20_000);
        var fast = window.Limit;
        simulation.Run(seconds: 60, drainRate: 200);
        var slow = window.Limit;
        simulation.Run(seconds: 60, drainRate: 20_000);
        var recovered = window.Limit;

        Assert.True(fast >= 400, $"{fast}");
        Assert.True(slow <= 200, $"{slow}");
        Assert.True(recovered >= 400, $"{recovered}");
    }

    [Fact]
    public void Adaptive_stays_within_its_bounds()
    {
        var options = new SessionOptions();
        var window = SlidingWindow.Adaptive(options, Frequency);
        var simulation = new WindowSimulation(window, latencyMilliseconds: 100, acknowledgeEvery: 1);

        simulation.Run(seconds: 5, drainRate: 200_000);
        Assert.Equal(options.MaxWindow, window.Limit);
        simulation.Run(seconds: 300, drainRate: 20);
        Assert.InRange(window.Limit, options.MinWindow, 100);
    }

    private static StreamPosition At(long sequence) => new(1, sequence);
}

using System.Diagnostics;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport.Faults;

namespace AspireStreaming.StreamApi.Tests.Sessions;

/// <summary>
/// Measures real sessions; run by hand (<c>-explicit only</c>), because what it measures is the machine as well.
/// </summary>
public sealed class WindowMeasurements(SharedHost shared, ITestOutputHelper output)
{
    private const int Events = 200_000;
    private const int AcknowledgeEvery = 8;
    private const int Repetitions = 5;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(1.2);
    private static readonly string Stream = TestLog.NewStream();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory(Explicit = true)]
    [InlineData(100, 0)]
    [InlineData(100, 50)]
    [InlineData(10_000, 0)]
    [InlineData(10_000, 50)]
    [InlineData(0, 0)]
    [InlineData(0, 50)]
    public async Task Adaptive_against_fixed_windows(int drainRate, int latencyMilliseconds)
    {
        // One stream for all cases.
        for (var first = (await shared.Log.Reader.ReadMetaAsync(Stream, Cancel))?.Last.Sequence ?? 0; first < Events; first += 1_000)
        {
            await shared.Log.AppendNumbersAsync(Stream, (int)first + 1, 1_000);
        }

        await using var proxy = TcpFaultProxy.Start(shared.Host.Http.Port);
        proxy.Delay = TimeSpan.FromMilliseconds(latencyMilliseconds / 2.0);
        var server = new Uri($"http://127.0.0.1:{proxy.Port}");
        var best = 0.0;
        foreach (var window in (int?[])[16, 64, 256, 1024, 4096, null])
        {
            var rates = new List<double>();
            for (var repetition = 0; repetition < Repetitions; repetition++)
            {
                rates.Add(await MeasureAsync(server, window, drainRate));
            }

            var median = rates.Order().ElementAt(Repetitions / 2);
            best = window is null ? best : Math.Max(best, median);
            output.WriteLine(
                $"drain {(drainRate == 0 ? "unlimited" : $"{drainRate}/s")}, latency {latencyMilliseconds} ms, "
                + $"window {window?.ToString() ?? "adaptive"}: {median:N0}/s ({median / best:P0} of the best fixed)");
        }
    }

    /// <summary>Events a second, after the first quarter of the time.</summary>
    private static async Task<double> MeasureAsync(Uri server, int? window, int drainRate)
    {
        await using var client = await WebSocketSessionClient.OpenAsync(server);
        await client.SubscribeAsync("1", Stream, "start", window);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        var clock = Stopwatch.StartNew();
        var count = 0L;
        var (warmAt, warm) = (TimeSpan.Zero, 0L);
        while (clock.Elapsed < Duration && count < Events)
        {
            var message = await client.ReadAsync();
            if (message.Type != "event")
            {
                continue;
            }

            count++;
            if (warm == 0 && clock.Elapsed > Duration / 4)
            {
                (warmAt, warm) = (clock.Elapsed, count);
            }

            while (drainRate > 0 && count > clock.Elapsed.TotalSeconds * drainRate)
            {
                await timer.WaitForNextTickAsync(Cancel);
            }

            if (count % AcknowledgeEvery == 0)
            {
                await client.AckAsync("1", message.Position);
            }
        }

        return (count - warm) / (clock.Elapsed - warmAt).TotalSeconds;
    }
}

using System.Globalization;
using System.Text.Json;

namespace AspireStreaming.Benchmarks;

/// <summary>Holds the bytes allocated for each appended event against <c>budgets.json</c>.</summary>
internal static class AllocationBudget
{
    private const int WarmUp = 2_000;
    private const int Measured = 10_000;

    /// <returns>Whether every figure is within its budget.</returns>
    public static async Task<bool> CheckAsync()
    {
        var file = Path.Combine(AppContext.BaseDirectory, "budgets.json");
        using var budgets = JsonDocument.Parse(await File.ReadAllBytesAsync(file).ConfigureAwait(false));
        await using var path = await AppendPath.StartAsync().ConfigureAwait(false);
        var one = await MeasureAsync(path, AppendPath.OneEvent, 1, WarmUp, Measured).ConfigureAwait(false);
        var batch = await MeasureAsync(path, AppendPath.HundredEvents, 100, WarmUp / 10, Measured / 20).ConfigureAwait(false);
        return Report("appendOneEvent", one) & Report("appendBatchOf100", batch);

        bool Report(string name, double bytes)
        {
            var budget = budgets.RootElement.GetProperty(name).GetDouble();
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{name,-18} {bytes,8:F0} bytes/event, budget {budget:F0}{(bytes > budget ? "  OVER" : "")}"));
            return bytes <= budget;
        }
    }

    private static async Task<double> MeasureAsync(AppendPath path, byte[] body, int events, int warmUp, int measured)
    {
        for (var count = 0; count < warmUp; count++)
        {
            await path.PublishAsync(body).ConfigureAwait(false);
        }

        var before = GC.GetTotalAllocatedBytes(precise: true);
        for (var count = 0; count < measured; count++)
        {
            await path.PublishAsync(body).ConfigureAwait(false);
        }

        return (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)(measured * events);
    }
}

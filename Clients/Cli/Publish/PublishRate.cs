namespace AspireStreaming.Cli.Publish;

/// <summary>Acknowledged events a second.</summary>
internal static class PublishRate
{
    public static string Format(PublishTotals totals, TimeSpan elapsed)
    {
        var rate = totals.Acknowledged / Math.Max(elapsed.TotalSeconds, 0.001);
        return rate < 10 ? $"{rate:0.0}/s" : $"{rate:N0}/s";
    }
}

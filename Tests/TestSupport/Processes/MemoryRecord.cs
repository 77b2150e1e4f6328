using System.Globalization;

namespace AspireStreaming.TestSupport.Processes;

/// <summary>The resident memory of one process over a run, and whether it is flat.</summary>
/// <remarks>
/// The run is cut into fifths. The first two are the warm-up: under a moderate load code is compiled and the collector's budgets grow for
/// some 25 minutes, and then no more. The median of the last is compared with the median of the third. Medians forgive the moment of a
/// collection or a reconnect; what leaks with each stream, connection or reconnect goes on leaking. A short run is warm-up only, and is
/// allowed more.
/// </remarks>
public sealed class MemoryRecord(string process)
{
    private const int Parts = 5;
    private const int MinSamples = 4 * Parts;
    private const long MiB = 1 << 20;

    /// <summary>From here on the limits for long runs hold.</summary>
    public static readonly TimeSpan LongRun = TimeSpan.FromMinutes(15);

    private readonly List<(TimeSpan At, long Bytes)> _samples = [];

    /// <summary>Which process.</summary>
    public string Process => process;

    /// <summary>The last that was seen.</summary>
    public long Last { get; private set; }

    /// <summary>The most that was seen.</summary>
    public long Highest => _samples.Count == 0 ? 0 : _samples.Max(sample => sample.Bytes);

    /// <summary>The level after the warm-up.</summary>
    public long Early => Median(2);

    /// <summary>The level at the end.</summary>
    public long Late => Median(Parts - 1);

    /// <summary>How much <see cref="Late"/> may be above <see cref="Early"/>: 10% or 16 MiB, for a run under 15 minutes 25% or 64 MiB: mostly warm-up.</summary>
    public long Allowed => Length >= LongRun ? Math.Max(Early / 10, 16 * MiB) : Math.Max(Early / 4, 64 * MiB);

    /// <summary>Whether it is flat; false, too, where there are too few samples to tell.</summary>
    public bool IsFlat => _samples.Count >= MinSamples && Late - Early <= Allowed;

    private TimeSpan Length => _samples.Count == 0 ? TimeSpan.Zero : _samples[^1].At;

    /// <summary>Notes a sample.</summary>
    /// <param name="at">When, since the beginning.</param>
    /// <param name="bytes">How much.</param>
    public void Add(TimeSpan at, long bytes)
    {
        _samples.Add((at, bytes));
        Last = bytes;
    }

    /// <summary>A row of the report's table.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"| {process} | {_samples.Count} | {InMiB(Early)} | {InMiB(Late)} | {InMiB(Late - Early)} | {InMiB(Allowed)} | {InMiB(Highest)} | {(IsFlat ? "" : "**grows**")} |");

    private static string InMiB(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{(double)bytes / MiB:0.0}");

    private long Median(int part)
    {
        var (from, to) = (Length * part / Parts, Length * (part + 1) / Parts);
        var bytes = _samples.Where(sample => sample.At >= from && sample.At <= to).Select(sample => sample.Bytes).Order().ToArray();
        return bytes.Length == 0 ? 0 : bytes[bytes.Length / 2];
    }
}

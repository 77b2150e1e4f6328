using AspireStreaming.TestSupport.Processes;

namespace AspireStreaming.FailureSuite.Tests.Support;

/// <summary>What is flat and what is not.</summary>
public sealed class MemoryRecordTests
{
    private const long MiB = 1 << 20;

    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    [Fact]
    public void IsFlat_level_with_noise_and_peaks_is_flat()
    {
        var random = new Random(1);
        var record = Record(Hour, share => (150 * MiB) + random.NextInt64(10 * MiB) + (random.Next(20) == 0 ? 60 * MiB : 0));

        Assert.True(record.IsFlat, record.ToString());
        Assert.True(record.Highest > 200 * MiB);
    }

    [Fact]
    public void IsFlat_growth_in_the_warm_up_only_is_flat() =>
        Assert.True(Record(Hour, share => share < 0.4 ? (long)(share * 2.5 * 150 * MiB) : 150 * MiB).IsFlat);

    [Fact]
    public void IsFlat_slow_steady_growth_is_seen()
    {
        // 60 MiB in an hour: what 180 waves of streams would leave behind with 340 KiB each.
        var random = new Random(1);

        Assert.False(Record(Hour, share => (150 * MiB) + (long)(share * 60 * MiB) + random.NextInt64(10 * MiB)).IsFlat);
    }

    [Fact]
    public void IsFlat_steps_that_stay_are_seen() =>
        Assert.False(Record(Hour, share => (150 * MiB) + ((long)(share * 5) * 10 * MiB)).IsFlat);

    [Fact]
    public void IsFlat_short_run_is_allowed_its_warm_up_and_no_more()
    {
        var minutes = TimeSpan.FromMinutes(3);

        Assert.True(Record(minutes, share => (150 * MiB) + (long)(share * 40 * MiB)).IsFlat);
        Assert.False(Record(minutes, share => (150 * MiB) + (long)(share * 300 * MiB)).IsFlat);
    }

    [Fact]
    public void IsFlat_too_few_samples_prove_nothing()
    {
        var record = new MemoryRecord("p");
        record.Add(TimeSpan.FromMinutes(13), MiB);
        record.Add(TimeSpan.FromMinutes(59), MiB);

        Assert.False(record.IsFlat);
    }

    private static MemoryRecord Record(TimeSpan run, Func<double, long> bytes)
    {
        var record = new MemoryRecord("p");
        for (var share = 0.0; share < 1; share += 0.002)
        {
            record.Add(run * share, bytes(share));
        }

        return record;
    }
}

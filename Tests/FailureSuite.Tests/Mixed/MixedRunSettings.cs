using System.Globalization;
using AspireStreaming.TestSupport.Processes;

namespace AspireStreaming.FailureSuite.Tests.Mixed;

/// <summary>How the mixed run runs.</summary>
/// <param name="Length">For how long new streams begin and Redis is restarted.</param>
/// <param name="WaveEvery">The time between two waves of streams.</param>
/// <param name="WaveLife">How long a wave's streams are published to.</param>
/// <param name="RestartEvery">The mean time between two restarts of Redis.</param>
/// <param name="SampleEvery">The time between two looks at the processes' memory.</param>
internal sealed record MixedRunSettings(TimeSpan Length, TimeSpan WaveEvery, TimeSpan WaveLife, TimeSpan RestartEvery, TimeSpan SampleEvery)
{
    private const double ShortMinutes = 3;

    /// <summary>As <c>MIXED_RUN_MINUTES</c> says; three minutes without.</summary>
    public static MixedRunSettings Chosen { get; } = For(TimeSpan.FromMinutes(
        double.TryParse(Environment.GetEnvironmentVariable("MIXED_RUN_MINUTES"), CultureInfo.InvariantCulture, out var minutes) ? minutes : ShortMinutes));

    /// <summary>A run of this length. A short one restarts Redis more often, so that it does it at all.</summary>
    public static MixedRunSettings For(TimeSpan length) => length < MemoryRecord.LongRun
        ? new(length, TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(40), TimeSpan.FromSeconds(50), TimeSpan.FromSeconds(1))
        : new(length, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(60), TimeSpan.FromMinutes(3), TimeSpan.FromSeconds(5));
}

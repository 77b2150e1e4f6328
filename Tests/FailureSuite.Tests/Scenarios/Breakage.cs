using AspireStreaming.FailureSuite.Tests.Running;
using AspireStreaming.FailureSuite.Tests.World;
using AspireStreaming.SystemSupport;

namespace AspireStreaming.FailureSuite.Tests.Scenarios;

/// <summary>What a scenario works with.</summary>
internal sealed class Breakage(FailureWorld world, ScenarioRun run, Random random)
{
    private static readonly TimeSpan ShortHold = TimeSpan.FromSeconds(1.5);

    public FailureWorld World => world;

    public ScenarioRun Run => run;

    public Random Random => random;

    public static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>Lets the fault last: this long in the full form, a moment in the short one.</summary>
    public static Task HoldAsync(double seconds)
    {
        var full = TimeSpan.FromSeconds(seconds);
        return Pause.ForAsync(SuiteSettings.IsFull || full < ShortHold ? full : ShortHold, Cancelled);
    }
}

using AspireStreaming.FailureSuite.Tests.World;

namespace AspireStreaming.FailureSuite.Tests.Mixed;

/// <summary>Everything at once for as long as one likes: <c>./test --mixed-run --minutes 60</c>.</summary>
[Collection(FailureCollection.Name)]
public sealed class MixedRunTests(FailureWorld world)
{
    [Fact]
    public async Task Mixed_load_with_restarts_of_Redis_leaves_every_sequence_complete_and_memory_flat()
    {
        Assert.SkipWhen(SuiteSettings.Only.Count > 0, "Only some scenarios were asked for.");
        await world.MendAsync(TestContext.Current.CancellationToken);
        using var log = new MixedRunLog(TimeProvider.System);
        await using var run = new MixedRun(world, MixedRunSettings.Chosen, SuiteSettings.Seed, log);
        try
        {
            Assert.Empty(await run.RunAsync());
        }
        finally
        {
            await world.MendAsync(CancellationToken.None);
        }
    }
}

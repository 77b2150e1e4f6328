using System.Globalization;
using AspireStreaming.FailureSuite.Tests.Running;
using AspireStreaming.FailureSuite.Tests.Scenarios;
using AspireStreaming.FailureSuite.Tests.World;
using AspireStreaming.SystemSupport;

namespace AspireStreaming.FailureSuite.Tests;

/// <summary>Breaks the whole system on purpose, under load, and accounts for every event.</summary>
[Collection(FailureCollection.Name)]
public sealed class ScenarioTests(FailureWorld world)
{
    private const double MaxHeadStart = 2;

    public static TheoryData<string> Names => [.. ScenarioCatalogue.Chosen.Select(scenario => scenario.Name)];

    public static TheoryData<int> Combinations => [.. Enumerable.Range(0, SuiteSettings.Combinations).Select(index => unchecked(SuiteSettings.Seed + index))];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Scenario_leaves_every_acknowledged_event_accounted_for(string name)
    {
        var scenario = ScenarioCatalogue.Find(name);
        await RunAsync(name, scenario.MayAnnounce, run => scenario.BreakAsync(new Breakage(world, run, new Random(SuiteSettings.Seed))));
    }

    [Theory]
    [MemberData(nameof(Combinations))]
    public async Task Random_combination_leaves_every_acknowledged_event_accounted_for(int seed)
    {
        var random = new Random(seed);
        var scenarios = ScenarioCatalogue.Combine(random);
        var name = string.Join(" + ", scenarios.Select(scenario => scenario.Name));
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seed {seed}: {name}"));
        var parts = scenarios.Select(scenario => (scenario, start: random.NextDouble() * MaxHeadStart, random: new Random(random.Next()))).ToArray();
        await RunAsync(name, scenarios.Any(scenario => scenario.MayAnnounce), run => Task.WhenAll(parts.Select(async part =>
        {
            await Pause.ForAsync(TimeSpan.FromSeconds(Math.Max(part.start, 0.001)), Cancelled);
            await part.scenario.BreakAsync(new Breakage(world, run, part.random));
        })));
    }

    private async Task RunAsync(string name, bool mayAnnounce, Func<ScenarioRun, Task> breakAsync)
    {
        await world.MendAsync(Cancelled);
        try
        {
            await using var run = await ScenarioRun.StartAsync(world, name.Split(' ')[0]);
            await breakAsync(run);
            var recovery = await run.RecoverAsync();
            var report = await run.FinishAsync();
            world.Report.Add(new ScenarioResult(name, report, recovery));
            TestContext.Current.TestOutputHelper?.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{name}, seed {SuiteSettings.Seed}: {report}; recovery {recovery.TotalSeconds:0.00} s"));
            Assert.True(report.IsClean && (mayAnnounce || report.Announced == 0), report.ToString());
        }
        catch
        {
            await world.MendAsync(CancellationToken.None);
            throw;
        }
    }
}

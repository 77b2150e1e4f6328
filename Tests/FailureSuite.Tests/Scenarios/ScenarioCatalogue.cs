namespace AspireStreaming.FailureSuite.Tests.Scenarios;

/// <summary>Every scenario there is.</summary>
internal static class ScenarioCatalogue
{
    public static IReadOnlyList<Scenario> All { get; } =
    [
        .. RedisScenarios.All,
        .. RedisScenarios.Losses,
        .. PostgresScenarios.All,
        .. ServiceScenarios.All,
        .. ClientScenarios.All,
        .. PlanScenarios.All,
    ];

    /// <summary>Those of the form that runs.</summary>
    public static IEnumerable<Scenario> Chosen => All.Where(scenario => SuiteSettings.Only.Count > 0
        ? SuiteSettings.Only.Contains(scenario.Name)
        : SuiteSettings.IsFull || scenario.IsShort);

    public static Scenario Find(string name) => All.Single(scenario => scenario.Name == name);

    /// <summary>Two or three scenarios that break different things.</summary>
    public static IReadOnlyList<Scenario> Combine(Random random)
    {
        var candidates = All.Where(scenario => scenario.Combines).ToArray();
        random.Shuffle(candidates);
        Scenario[] chosen = [.. candidates.DistinctBy(scenario => scenario.Target).Take(random.Next(2, 4))];
        return chosen.Any(scenario => scenario.LosesData) && chosen.Any(scenario => scenario.EndsPublishers) ? Combine(random) : chosen;
    }
}

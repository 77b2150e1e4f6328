using AspireStreaming.SystemSupport;
using AspireStreaming.TestSupport;

namespace AspireStreaming.FailureSuite.Tests.Scenarios;

/// <summary>What PostgreSQL, and the way to it, may do.</summary>
internal static class PostgresScenarios
{
    private const double Outage = 5;
    private const double LongOutage = 10;
    private const string Poison = "token.poisoned";

    public static IEnumerable<Scenario> All =>
    [
        new("postgres-restart", Target.Postgres, RestartAsync) { IsShort = true },
        new("postgres-killed", Target.Postgres, KillAsync) { IsShort = true },
        new("postgres-frozen", Target.Postgres, FreezeAsync),
        new("postgres-cut-off", Target.Postgres, CutAsync),
        new("postgres-connection-limit", Target.PostgresRules, LimitAsync) { IsShort = true },
        new("postgres-disk-full", Target.PostgresRules, FillAsync) { IsShort = true },
        new("postgres-slow-commits", Target.PostgresRules, SlowAsync),
        new("postgres-poisoned-row", Target.PostgresRules, PoisonAsync) { IsShort = true, MayAnnounce = true },
    ];

    private static async Task RestartAsync(Breakage broken)
    {
        await broken.World.Postgres.StopAsync(Breakage.Cancelled);
        await Breakage.HoldAsync(Outage);
        await broken.World.Postgres.StartAsync(Breakage.Cancelled);
    }

    private static async Task KillAsync(Breakage broken)
    {
        broken.World.Postgres.Kill();
        await Breakage.HoldAsync(Outage);
        await broken.World.Postgres.StartAsync(Breakage.Cancelled);
    }

    private static async Task FreezeAsync(Breakage broken)
    {
        broken.World.Postgres.Suspend();
        await Breakage.HoldAsync(LongOutage);
        broken.World.Postgres.Resume();
    }

    private static async Task CutAsync(Breakage broken)
    {
        foreach (var link in broken.World.PostgresLinks.Values)
        {
            link.Stall();
        }

        await Breakage.HoldAsync(LongOutage);
        foreach (var link in broken.World.PostgresLinks.Values)
        {
            link.Mend();
        }
    }

    private static async Task LimitAsync(Breakage broken)
    {
        await broken.World.Archive.LimitConnectionsAsync(1, Breakage.Cancelled);
        await Breakage.HoldAsync(Outage);
        await broken.World.Archive.MendAsync(Breakage.Cancelled);
    }

    private static async Task FillAsync(Breakage broken)
    {
        await broken.World.Archive.FillDiskAsync(Breakage.Cancelled);
        await Breakage.HoldAsync(Outage);
        await broken.World.Archive.MendAsync(Breakage.Cancelled);
    }

    private static async Task SlowAsync(Breakage broken)
    {
        await broken.World.Archive.SlowCommitsAsync(Breakage.Cancelled);
        await Breakage.HoldAsync(LongOutage);
        await broken.World.Archive.MendAsync(Breakage.Cancelled);
    }

    /// <summary>One bad row among good ones: it alone goes to <c>dead_events</c>, and the rest of its batch is archived.</summary>
    private static async Task PoisonAsync(Breakage broken)
    {
        await broken.World.Archive.PoisonAsync(Poison, Breakage.Cancelled);
        await using var publisher = broken.Run.NewPublisher("poison");
        publisher.EventType = Poison;
        foreach (var stream in broken.Run.Streams)
        {
            await publisher.PublishAsync(stream, 1, Breakage.Cancelled);
        }

        await Eventually.TrueAsync(
            async () =>
            {
                await Pause.ForAsync(TimeSpan.FromMilliseconds(100), Breakage.Cancelled);
                return await broken.World.Archive.CountDeadAsync(broken.Run.Streams, Breakage.Cancelled) == broken.Run.Streams.Count;
            },
            TimeSpan.FromSeconds(20),
            "the poisoned events to be put aside",
            Breakage.Cancelled);
        await broken.World.Archive.MendAsync(Breakage.Cancelled);
    }
}

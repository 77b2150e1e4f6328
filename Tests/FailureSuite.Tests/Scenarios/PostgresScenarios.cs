using System.Globalization;
using AspireStreaming.SystemSupport;
using AspireStreaming.TestSupport;

namespace AspireStreaming.FailureSuite.Tests.Scenarios;

/// <summary>What PostgreSQL, and the way to it, may do.</summary>
internal static class PostgresScenarios
{
    private const double Outage = 5;
    private const double LongOutage = 10;
    private const double MinutesAway = 180;
    private const string Poison = "token.poisoned";

    public static IEnumerable<Scenario> All =>
    [
        new("postgres-restart", Target.Postgres, RestartAsync) { IsShort = true },
        new("postgres-away-for-minutes", Target.Postgres, StayAwayAsync) { IsShort = true, Combines = false },
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

    /// <summary>
    /// The archive is away for minutes (seconds in the short form) while publishing goes on: nobody is refused, the lag is to be seen
    /// growing by who watches the archiver, and it is gone soon after the archive is back.
    /// </summary>
    private static async Task StayAwayAsync(Breakage broken)
    {
        using var archiver = broken.World.System.Client("event-archiver");
        await broken.World.Postgres.StopAsync(Breakage.Cancelled);
        var early = await BacklogAsync(broken, backlog => backlog > 0);
        var acknowledged = broken.Run.History.AcknowledgedCount;
        await Breakage.HoldAsync(MinutesAway);
        var late = await BacklogAsync(broken, backlog => backlog > early);
        Assert.True(broken.Run.History.AcknowledgedCount > acknowledged, "nothing was acknowledged without the archive");
        Assert.Contains("\"status\":\"degraded\"", await archiver.GetStringAsync(new Uri("/health", UriKind.Relative), Breakage.Cancelled), StringComparison.Ordinal);

        await broken.World.Postgres.StartAsync(Breakage.Cancelled);
        await BacklogAsync(broken, backlog => backlog < late / 4);
    }

    /// <summary>The number of entries that wait for the archive, as two archivers tell it, once it is as it should be.</summary>
    private static async Task<double> BacklogAsync(Breakage broken, Func<double, bool> isRight)
    {
        var backlog = 0.0;
        await Eventually.TrueAsync(
            async () =>
            {
                backlog = 0;
                for (var replica = 0; replica < 2; replica++)
                {
                    // Each new connection reaches the next replica.
                    using var client = broken.World.System.Client("event-archiver");
                    var metrics = await client.GetStringAsync(new Uri("/metrics", UriKind.Relative), Breakage.Cancelled);
                    backlog += metrics.Split('\n')
                        .Where(line => line.StartsWith("archiver_backlog_entries", StringComparison.Ordinal))
                        .Sum(line => double.Parse(line.AsSpan(line.LastIndexOf(' ') + 1), CultureInfo.InvariantCulture));
                }

                await Pause.ForAsync(TimeSpan.FromMilliseconds(200), Breakage.Cancelled);
                return isRight(backlog);
            },
            TimeSpan.FromSeconds(60), "the backlog in the archivers' metrics", Breakage.Cancelled);
        return backlog;
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
            TimeSpan.FromSeconds(40),
            "the poisoned events to be put aside",
            Breakage.Cancelled);
        await broken.World.Archive.MendAsync(Breakage.Cancelled);
    }
}

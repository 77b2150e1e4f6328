using System.Globalization;
using AspireStreaming.TestSupport;
using AspireStreaming.TestSupport.Faults;

namespace AspireStreaming.FailureSuite.Tests.Scenarios;

/// <summary>What Redis, and the way to it, may do.</summary>
internal static class RedisScenarios
{
    private const double Outage = 5;
    private const double LongOutage = 10;

    public static IEnumerable<Scenario> All =>
    [
        new("redis-restart", Target.Redis, RestartAsync) { IsShort = true },
        new("redis-killed", Target.Redis, KillAsync) { IsShort = true },
        new("redis-frozen", Target.Redis, FreezeAsync) { IsShort = true },
        new("redis-out-of-memory", Target.Redis, FillAsync) { IsShort = true },
        new("redis-slow", Target.RedisLinks, SlowAsync) { IsShort = true },
        new("redis-slow-rate", Target.RedisLinks, LimitRateAsync),
        new("redis-connections-reset", Target.RedisLinks, ResetAsync) { IsShort = true },
        new("redis-cut-off", Target.RedisLinks, broken => CutAsync(broken, [.. broken.World.RedisLinks.Keys])),
        new("redis-partition-publisher-api", Target.RedisLinks, broken => CutAsync(broken, "publisher-api")),
        new("redis-partition-stream-api", Target.RedisLinks, broken => CutAsync(broken, "stream-api")) { IsShort = true },
        new("redis-partition-event-archiver", Target.RedisLinks, broken => CutAsync(broken, "event-archiver")),
        new("redis-one-way-silence", Target.RedisLinks, OneWayAsync),
        new("redis-refuses", Target.RedisLinks, RefuseAsync),
        .. FakeClock.IsAvailable ? [new Scenario("redis-clock-jumps", Target.Redis, JumpAsync)] : Array.Empty<Scenario>(),
    ];

    /// <summary>Those after which Redis lacks what it had acknowledged.</summary>
    public static IEnumerable<Scenario> Losses =>
    [
        new("redis-wiped", Target.Redis, WipeAsync) { IsShort = true, MayAnnounce = true, LosesData = true },
        new("redis-old-snapshot", Target.Redis, RestoreAsync) { IsShort = true, MayAnnounce = true, LosesData = true },
        new("redis-failover", Target.Redis, FailOverAsync) { IsShort = true, MayAnnounce = true, LosesData = true },
    ];

    private static async Task RestartAsync(Breakage broken)
    {
        await broken.World.Redis.StopAsync(Breakage.Cancelled);
        await Breakage.HoldAsync(Outage);
        await broken.World.Redis.StartAsync(Breakage.Cancelled);
    }

    private static async Task KillAsync(Breakage broken)
    {
        broken.World.Redis.Kill();
        await Breakage.HoldAsync(Outage);
        await broken.World.Redis.StartAsync(Breakage.Cancelled);
    }

    private static async Task FreezeAsync(Breakage broken)
    {
        broken.World.Redis.Suspend();
        await Breakage.HoldAsync(LongOutage);
        broken.World.Redis.Resume();
    }

    private static async Task FillAsync(Breakage broken)
    {
        // Below what it holds: every append is refused, whole; reads go on.
        await broken.World.Redis.SendAsync("CONFIG SET maxmemory 1mb", Breakage.Cancelled);
        await Breakage.HoldAsync(Outage);
        await broken.World.Redis.SendAsync("CONFIG SET maxmemory 0", Breakage.Cancelled);
    }

    private static async Task SlowAsync(Breakage broken)
    {
        foreach (var link in broken.World.RedisLinks.Values)
        {
            link.Delay = TimeSpan.FromMilliseconds(broken.Random.Next(30, 120));
        }

        await Breakage.HoldAsync(LongOutage);
        Mend(broken);
    }

    private static async Task LimitRateAsync(Breakage broken)
    {
        foreach (var link in broken.World.RedisLinks.Values)
        {
            link.BytesPerSecond = 64 * 1024;
        }

        await Breakage.HoldAsync(LongOutage);
        Mend(broken);
    }

    private static async Task ResetAsync(Breakage broken)
    {
        for (var time = 0; time < (SuiteSettings.IsFull ? 10 : 4); time++)
        {
            foreach (var link in broken.World.RedisLinks.Values.Where(_ => broken.Random.Next(3) > 0))
            {
                link.Reset();
            }

            await Breakage.HoldAsync(0.2 + (broken.Random.NextDouble() / 2));
        }
    }

    private static async Task CutAsync(Breakage broken, params string[] services)
    {
        foreach (var service in services)
        {
            broken.World.RedisLinks[service].Stall();
        }

        await Breakage.HoldAsync(LongOutage);
        Mend(broken);
    }

    private static async Task OneWayAsync(Breakage broken)
    {
        // Redis does what it is asked and nobody hears of it.
        foreach (var link in broken.World.RedisLinks.Values)
        {
            link.Stall(LinkDirections.ToClient);
        }

        await Breakage.HoldAsync(Outage);
        Mend(broken);
    }

    private static async Task RefuseAsync(Breakage broken)
    {
        foreach (var link in broken.World.RedisLinks.Values)
        {
            link.Refuse();
        }

        await Breakage.HoldAsync(Outage);
        Mend(broken);
    }

    /// <summary>Ahead, behind, and right again: recorded times must not fall, and no position may come twice.</summary>
    private static async Task JumpAsync(Breakage broken)
    {
        var redis = broken.World.Redis;
        using var clock = FakeClock.Start();
        redis.Launcher = clock.Launcher;
        try
        {
            await redis.RestartAsync(cancellationToken: Breakage.Cancelled);
            await Breakage.HoldAsync(1);
            clock.Jump(TimeSpan.FromMinutes(broken.Random.Next(1, 90)));
            await Breakage.HoldAsync(2);
            await redis.RestartAsync(cancellationToken: Breakage.Cancelled);
            await Breakage.HoldAsync(2);
            clock.Jump(-TimeSpan.FromMinutes(broken.Random.Next(1, 90)));
            await Breakage.HoldAsync(2);
        }
        finally
        {
            redis.Launcher = [];
        }

        await redis.RestartAsync(cancellationToken: Breakage.Cancelled);
    }

    private static async Task WipeAsync(Breakage broken)
    {
        broken.World.Redis.Kill();
        await broken.World.Redis.RestartAsync(wipe: true, Breakage.Cancelled);
    }

    private static async Task RestoreAsync(Breakage broken)
    {
        var redis = broken.World.Redis;
        var snapshot = broken.World.NewRedisFolder();
        await redis.StopAsync(Breakage.Cancelled);
        Copy(redis.DataFolder, snapshot);
        await redis.StartAsync(Breakage.Cancelled);
        await Breakage.HoldAsync(LongOutage);
        redis.Kill();
        Directory.Delete(redis.DataFolder, recursive: true);
        Copy(snapshot, redis.DataFolder);
        await redis.StartAsync(Breakage.Cancelled);
    }

    private static async Task FailOverAsync(Breakage broken)
    {
        var old = broken.World.Redis;
        await using var replication = TcpFaultProxy.Start(old.Port);
        var successor = await RedisProcess.StartAsync(
            dataFolder: broken.World.NewRedisFolder(),
            arguments: ["--maxmemory-policy", "noeviction"],
            cancellationToken: Breakage.Cancelled);

        // Not by an argument: it would be a replica again after every restart.
        await successor.SendAsync(string.Create(CultureInfo.InvariantCulture, $"REPLICAOF 127.0.0.1 {replication.Port}"), Breakage.Cancelled);
        await Eventually.TrueAsync(
            async () => await IsReplicatingAsync(successor), TimeSpan.FromSeconds(20), "the replica to follow", Breakage.Cancelled);
        await Breakage.HoldAsync(1);

        // From here on it lags: what the old one acknowledges now, the new one never gets.
        replication.Stall();
        await Breakage.HoldAsync(0.7);
        old.Kill();
        replication.Reset();
        await successor.SendAsync("REPLICAOF NO ONE", Breakage.Cancelled);
        broken.World.TakeOver(successor);
        await old.DisposeAsync();
    }

    private static async Task<bool> IsReplicatingAsync(RedisProcess replica)
    {
        // The link is up once the dataset is there; ROLE's third line says so.
        var lines = await replica.QueryAsync("INFO replication", Breakage.Cancelled);
        return lines.Contains("master_link_status:up", StringComparison.Ordinal);
    }

    private static void Mend(Breakage broken)
    {
        foreach (var link in broken.World.RedisLinks.Values)
        {
            link.Mend();
        }
    }

    private static void Copy(string from, string to)
    {
        foreach (var folder in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories))
        {
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, folder)));
        }

        Directory.CreateDirectory(to);
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            File.Copy(file, Path.Combine(to, Path.GetRelativePath(from, file)));
        }
    }
}

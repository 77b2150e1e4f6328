using System.Globalization;
using AspireStreaming.Archive;
using AspireStreaming.TestSupport;

namespace AspireStreaming.EventArchiver.Tests;

/// <summary>Archivers and PostgreSQL are killed (SIGKILL) again and again under load; nothing is missing afterwards, nothing is there twice.</summary>
public sealed class CrashTests
{
    private const int Events = 100_000;
    private const int Streams = 50;
    private const int Kills = 8;

    private static CancellationToken Token => World.Token;

    [Fact]
    public async Task Archive_is_whole_after_archivers_and_postgres_were_killed_under_load()
    {
        // To repeat the choices of a run that failed, put its seed here; the moments are real and differ.
        var seed = Random.Shared.Next();
        var done = new List<string>();
        try
        {
            await RunAsync(new Random(seed), done);
        }
        catch (Exception exception) when (!Token.IsCancellationRequested)
        {
            Assert.Fail($"Seed {seed}, kills: {string.Join("; ", done)}.\n{exception}");
        }
    }

    private static async Task RunAsync(Random random, List<string> done)
    {
        await using var postgres = await PostgresProcess.StartAsync(cancellationToken: Token);
        await using var world = await World.CreateAsync(postgres);
        string[] arguments = world.Arguments(
            "--Archiver:LeaseDuration=00:00:01", "--Archiver:LeaseRenewal=00:00:00.300", "--Archiver:MaxBatchEvents=300");
        var archivers = new ArchiverProcess[] { new(arguments), new(arguments) };
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var load = new Load(world, random.Next());
        var publishing = load.RunAsync(stop.Token);
        try
        {
            for (var kill = 0; kill < Kills; kill++)
            {
                // Each kill falls somewhere in a share of the load of its own, so that there is always work under way.
                load.Allow(Events * (kill + 1) / (Kills + 1));
                var archived = (Events * kill / (Kills + 1)) + random.Next(1, Events / (Kills + 1) * 9 / 10);
                await Eventually.TrueAsync(
                    async () => await world.CountAsync() >= archived, World.Deadline, $"{archived} events are archived", Token);
                await KillAsync(random, world, postgres, archivers, arguments, done);
            }

            load.Allow(Events);
            await publishing;
            Assert.Equal(Events, world.Acknowledged);
            await SettleAsync(world);
            await AssertAuditAsync(world);
            await world.AssertArchivedOnceAsync();
            await world.AssertTrimmedAsync();
        }
        finally
        {
            await stop.CancelAsync();
            foreach (var archiver in archivers)
            {
                archiver.Dispose();
            }

            await publishing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task KillAsync(
        Random random, World world, PostgresProcess postgres, ArchiverProcess[] archivers, string[] arguments, List<string> done)
    {
        // PostgreSQL alone, one archiver, both, or one together with PostgreSQL.
        var choice = random.Next(6);
        done.Add(choice switch { 0 or 1 => "PostgreSQL", 2 => "archiver 1", 3 => "archiver 2", 4 => "both archivers", _ => "archiver 1 and PostgreSQL" });
        if (choice is 0 or 1 or 5)
        {
            postgres.Kill();
        }

        for (var index = 0; index < archivers.Length; index++)
        {
            if (choice == 2 + index || choice == 4 || (choice == 5 && index == 0))
            {
                archivers[index].Dispose();
                archivers[index] = new ArchiverProcess(arguments);
            }
        }

        if (!postgres.IsRunning)
        {
            await postgres.StartAsync(Token);
            world.DataSource.Clear();
        }
    }

    /// <summary>Waits until the archive has everything, or for so long nothing came that the audit had better say what is missing.</summary>
    private static async Task SettleAsync(World world)
    {
        var count = 0L;
        var since = TimeProvider.System.GetTimestamp();
        await Eventually.TrueAsync(
            async () =>
            {
                if (await world.CountAsync() is var now && now != count)
                {
                    count = now;
                    since = TimeProvider.System.GetTimestamp();
                }

                return count >= Events || TimeProvider.System.GetElapsedTime(since) > World.Deadline / 2;
            },
            2 * World.Deadline,
            "no more events are archived",
            Token);
    }

    private static async Task AssertAuditAsync(World world)
    {
        using var audit = new ArchiveAudit(world.DataSource);
        var streams = await world.Archive.ListStreamsAsync(Streams + 1, null, Token);
        Assert.Equal(Streams, streams.Count);
        var audits = await Task.WhenAll(streams.Select(stream => audit.AuditAsync(stream.Name, Token)));
        Assert.All(audits, found => Assert.True(found is { IsWell: true, Trimmed: false, Dead: 0 }, $"{found} {string.Join(", ", found!.Holes)}"));
        Assert.Equal(Events, audits.Sum(found => found!.Events));
    }

    /// <summary>Publishes to all streams, in batches of random sizes, up to a total that rises.</summary>
    private sealed class Load(World world, int seed)
    {
        private const int Lanes = 5;

        private int _allowed;
        private int _begun;

        public void Allow(int events) => Volatile.Write(ref _allowed, events);

        public Task RunAsync(CancellationToken stop) =>
            Task.WhenAll(Enumerable.Range(0, Lanes).Select(lane => RunLaneAsync(new Random(seed + lane), lane, stop)));

        private async Task RunLaneAsync(Random random, int lane, CancellationToken stop)
        {
            for (var round = 0; ; round++)
            {
                var count = random.Next(1, 120);
                var begin = Interlocked.Add(ref _begun, count) - count;
                if (begin >= Events)
                {
                    return;
                }

                count = Math.Min(count, Events - begin);
                await Eventually.TrueAsync(() => Volatile.Read(ref _allowed) > begin, World.Deadline, "the load may go on", stop);
                var stream = (round % (Streams / Lanes) * Lanes) + lane;
                await world.AppendPatientlyAsync(string.Create(CultureInfo.InvariantCulture, $"crash-{stream}"), count);
            }
        }
    }
}

namespace AspireStreaming.Hosting.Local.Tests.Processes;

public sealed class HostDeathTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Killed_host_takes_the_whole_tree_with_it_even_if_that_ignores_TERM()
    {
        await using var host = MortalHost.Start(MortalHost.Tree);
        var grandchild = await host.NumberAsync(Ct);
        var child = await host.NumberAsync(Ct);

        await host.KillAsync(Ct);

        await GoneAsync(child);
        await GoneAsync(grandchild);
    }

    [Fact]
    public async Task Killed_host_takes_a_frozen_program_with_it()
    {
        await using var host = MortalHost.Start(MortalHost.Tree);
        var grandchild = await host.NumberAsync(Ct);
        var child = await host.NumberAsync(Ct);
        TestPrograms.Freeze(child);
        TestPrograms.Freeze(grandchild);

        await host.KillAsync(Ct);

        await GoneAsync(child);
        await GoneAsync(grandchild);
    }

    [Fact]
    public async Task Host_that_ends_without_stopping_anything_leaves_nothing()
    {
        await using var host = MortalHost.Start(MortalHost.Tree);
        var grandchild = await host.NumberAsync(Ct);
        var child = await host.NumberAsync(Ct);

        await host.EndAsync(Ct);

        await GoneAsync(child);
        await GoneAsync(grandchild);
    }

    [Fact]
    public async Task Programs_started_at_the_same_time_do_not_keep_each_other_alive()
    {
        await using var host = MortalHost.Start(MortalHost.Siblings);
        var ids = new List<int>();
        while (ids.Count < MortalHost.SiblingCount)
        {
            ids.Add(await host.NumberAsync(Ct));
        }

        await host.KillAsync(Ct);

        foreach (var id in ids)
        {
            await GoneAsync(id);
        }
    }

    [Fact]
    public async Task Killed_host_leaves_no_temporary_folder()
    {
        await using var host = MortalHost.Start(MortalHost.TemporaryServer);
        var folder = await host.LineAsync(Ct);
        var redis = await host.NumberAsync(Ct);
        Assert.True(Directory.Exists(folder));

        await host.KillAsync(Ct);

        await GoneAsync(redis);
        await Eventually.TrueAsync(() => !Directory.Exists(folder), TestPrograms.Deadline, $"{folder} is removed", Ct);
    }

    private static Task GoneAsync(int id) =>
        Eventually.TrueAsync(() => !TestPrograms.IsAlive(id), TestPrograms.Deadline, $"process {id} is gone", Ct);
}

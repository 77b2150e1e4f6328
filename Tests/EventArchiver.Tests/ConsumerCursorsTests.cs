using AspireStreaming.Archive.Cursors;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.EventArchiver.Tests;

public sealed class ConsumerCursorsTests(Servers servers)
{
    private static readonly CursorKey Key = new("", "billing", "orders");

    [Fact]
    public async Task ClaimAsync_gives_the_position_that_was_stored_and_a_higher_fence()
    {
        await using var world = await CreateAsync();
        var cursors = new ConsumerCursors(world.DataSource);

        var first = await cursors.ClaimAsync(Key, World.Token);
        var holding = await cursors.StoreAsync([first with { Position = new StreamPosition(7, 42) }], World.Token);
        var second = await cursors.ClaimAsync(Key, World.Token);

        Assert.Null(first.Position);
        Assert.Equal([0], holding);
        Assert.Equal(new StreamPosition(7, 42), second.Position);
        Assert.True(second.Fence > first.Fence);
    }

    [Fact]
    public async Task StoreAsync_of_a_claim_that_was_taken_over_stores_nothing_and_says_so()
    {
        await using var world = await CreateAsync();
        var cursors = new ConsumerCursors(world.DataSource);
        var old = await cursors.ClaimAsync(Key, World.Token);
        var other = await cursors.ClaimAsync(Key with { Name = "audit" }, World.Token);
        var current = await cursors.ClaimAsync(Key, World.Token);

        var holding = await cursors.StoreAsync(
            [old with { Position = new StreamPosition(7, 1) }, other with { Position = new StreamPosition(7, 2) }, current], World.Token);

        Assert.Equal([1, 2], holding.Order());
        Assert.Null((await cursors.ClaimAsync(Key, World.Token)).Position);
        Assert.Equal(new StreamPosition(7, 2), (await cursors.ClaimAsync(other.Key, World.Token)).Position);
    }

    [Fact]
    public async Task Keys_keep_principals_names_and_streams_apart()
    {
        await using var world = await CreateAsync();
        var cursors = new ConsumerCursors(world.DataSource);
        CursorKey[] keys = [Key, Key with { Principal = "p" }, Key with { Name = "n" }, Key with { Stream = "s" }];

        var claims = await Task.WhenAll(keys.Select(key => cursors.ClaimAsync(key, World.Token)));
        await cursors.StoreAsync([.. claims.Select((claim, index) => claim with { Position = new StreamPosition(1, index) })], World.Token);

        for (var index = 0; index < keys.Length; index++)
        {
            Assert.Equal(new StreamPosition(1, index), (await cursors.ClaimAsync(keys[index], World.Token)).Position);
        }
    }

    [Fact]
    public async Task StoreAsync_by_several_replicas_at_once_never_locks_up()
    {
        await using var world = await CreateAsync();
        var cursors = new ConsumerCursors(world.DataSource);
        var claims = new List<CursorClaim>();
        for (var index = 0; index < 50; index++)
        {
            claims.Add(await cursors.ClaimAsync(Key with { Name = $"n{index}" }, World.Token));
        }

        await Task.WhenAll(Enumerable.Range(0, 8).Select(async replica =>
        {
            for (var round = 1; round <= 10; round++)
            {
                var mine = claims.Select(claim => claim with { Position = new StreamPosition(replica, round) }).ToArray();
                Random.Shared.Shuffle(mine);
                Assert.Equal(50, (await cursors.StoreAsync(mine, World.Token)).Count);
            }
        }));
    }

    [Fact]
    public async Task ForgetAsync_removes_what_was_left_alone_for_long()
    {
        await using var world = await CreateAsync();
        var cursors = new ConsumerCursors(world.DataSource);
        await cursors.ClaimAsync(Key, World.Token);

        Assert.Equal(0, await cursors.ForgetAsync(TimeSpan.FromDays(1), World.Token));
        Assert.Equal(1, await cursors.ForgetAsync(TimeSpan.FromDays(-1), World.Token));
    }

    private async Task<World> CreateAsync()
    {
        var world = await World.CreateAsync(servers);
        await world.Schema.MigrateAsync(World.Token);
        return world;
    }
}

using System.Net;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Tests.Support;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Tests.Connections;

public sealed class AddressLimiterTests
{
    private static readonly IPAddress Client = IPAddress.Parse("203.0.113.5");
    private readonly ManualTime _time = new();

    [Theory]
    [InlineData("203.0.113.5", "203.0.113.5")]
    [InlineData("::ffff:203.0.113.5", "203.0.113.5")]
    [InlineData("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
    [InlineData("127.0.0.1", null)]
    [InlineData("::1", null)]
    [InlineData(null, null)]
    public void KeyOf_is_the_address_or_its_network(string? remote, string? expected)
    {
        var key = Limiter(new()).KeyOf(remote is null ? null : IPAddress.Parse(remote));

        Assert.Equal(expected, key?.ToString());
    }

    [Fact]
    public void KeyOf_loopback_counts_where_configured() =>
        Assert.Equal(IPAddress.Loopback, Limiter(new() { LimitLoopback = true }).KeyOf(IPAddress.Loopback));

    [Fact]
    public void TryAttempt_a_burst_is_allowed_and_then_a_rate()
    {
        var limiter = Limiter(new() { AttemptBurst = 3, AttemptsPerSecond = 2 });

        Assert.All(Enumerable.Range(0, 3), _ => Assert.True(limiter.TryAttempt(Client, out TimeSpan _)));
        Assert.False(limiter.TryAttempt(Client, out var retryAfter));
        Assert.Equal(TimeSpan.FromSeconds(0.5), retryAfter);
        Assert.True(limiter.TryAttempt(IPAddress.Parse("203.0.113.6"), out _));
        _time.Advance(TimeSpan.FromSeconds(0.5));
        Assert.True(limiter.TryAttempt(Client, out _));
        Assert.False(limiter.TryAttempt(Client, out _));
        _time.Advance(TimeSpan.FromHours(1));
        Assert.All(Enumerable.Range(0, 3), _ => Assert.True(limiter.TryAttempt(Client, out TimeSpan _)));
        Assert.False(limiter.TryAttempt(Client, out _));
    }

    [Fact]
    public void TryEnter_places_are_counted_and_given_back()
    {
        var limiter = Limiter(new() { MaxConnectionsPerAddress = 2 });

        Assert.True(limiter.TryEnter(Client));
        Assert.True(limiter.TryEnter(Client));
        Assert.False(limiter.TryEnter(Client));
        limiter.Leave(Client);
        Assert.True(limiter.TryEnter(Client));
    }

    [Fact]
    public void Count_is_bounded_and_who_has_connections_is_not_forgotten()
    {
        const int Max = 16;
        var limiter = Limiter(new() { MaxAddresses = Max, MaxConnectionsPerAddress = 1 });
        Assert.True(limiter.TryEnter(Client));

        for (var index = 0; index < 10_000; index++)
        {
            limiter.TryAttempt(new IPAddress(index + 1L), out _);
            Assert.InRange(limiter.Count, 1, Max);
        }

        Assert.False(limiter.TryEnter(Client));
    }

    private AddressLimiter Limiter(AdmissionOptions options) => new(Options.Create(options), _time);
}

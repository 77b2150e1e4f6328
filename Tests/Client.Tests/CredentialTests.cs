using System.Net;
using AspireStreaming.Client.Tests.Following;
using AspireStreaming.Client.Tests.Support;
using AspireStreaming.TestSupport;

namespace AspireStreaming.Client.Tests;

/// <summary>Credentials against services that demand them.</summary>
public sealed class CredentialTests(Servers servers) : IAsyncLifetime
{
    private readonly string _stream = Servers.NewStream("mine");
    private ServiceHost _publisher = null!;
    private ServiceHost _streamApi = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        string[] auth = [$"--Auth:Jwt:Secret={TokenIssuer.Secret}", "--Auth:Jwt:ClockSkew=00:00:00"];
        _publisher = await ServiceHost.StartPublisherAsync(servers.Redis, servers.Archive, auth);
        _streamApi = await ServiceHost.StartStreamApiAsync(servers.Redis, servers.Archive, auth);
    }

    public async ValueTask DisposeAsync()
    {
        await _streamApi.DisposeAsync();
        await _publisher.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Transports.All), MemberType = typeof(Transports))]
    public async Task Token_is_sent_over_every_transport(StreamTransport transport)
    {
        await PublishAsync();
        using var subscriber = _streamApi.CreateSubscriber(static options => options.AccessToken = Issue("""{"subscribe":["mine-*"]}"""));

        var types = new List<string>();
        await foreach (var item in subscriber.SubscribeAsync(_stream, new SubscribeOptions { Transport = transport }, Token))
        {
            types.Add(item.Type);
        }

        Assert.Equal(["token", "STREAM_END"], types);
    }

    [Theory]
    [MemberData(nameof(Transports.All), MemberType = typeof(Transports))]
    public async Task Without_a_token_it_is_401_and_with_the_wrong_one_403(StreamTransport transport)
    {
        using var nobody = _streamApi.CreateSubscriber();
        using var somebody = _streamApi.CreateSubscriber(static options => options.AccessToken = Issue("""{"subscribe":["other"]}"""));

        Assert.Equal(HttpStatusCode.Unauthorized, (await RefusedAsync(nobody)).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await RefusedAsync(somebody)).Status);

        Task<ApiException> RefusedAsync(EventSubscriber subscriber) => Assert.ThrowsAsync<ApiException>(async () =>
        {
            await foreach (var item in subscriber.SubscribeAsync(_stream, new SubscribeOptions { Transport = transport }, Token))
            {
                Assert.Fail(item.ToString());
            }
        });
    }

    [Fact]
    public async Task Publisher_without_the_claim_is_403()
    {
        var fault = await Assert.ThrowsAsync<ApiException>(() =>
            CreatePublisher("""{"publish":["other"]}""").PublishAsync(_stream, Numbers.Event(1), cancellationToken: Token));

        Assert.Equal(HttpStatusCode.Forbidden, fault.Status);
    }

    [Theory]
    [MemberData(nameof(Transports.All), MemberType = typeof(Transports))]
    public async Task Token_that_expires_is_renewed_and_nothing_is_missed(StreamTransport transport)
    {
        var issued = 0;
        using var subscriber = _streamApi.CreateSubscriber(options => options.AccessTokenProvider = _ =>
        {
            issued++;
            return ValueTask.FromResult<string?>(TokenIssuer.Hs256(TokenIssuer.Claims("""{"subscribe":["mine-*"]}""", expiresIn: issued == 1 ? 2 : 600)));
        });
        var publisher = CreatePublisher("""{"publish":["mine-*"]}""");
        var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var publishing = publisher.PublishUntilAsync(_stream, stop.Task, Token);
        var numbers = new List<int>();
        var following = subscriber.CollectAsync(_stream, new SubscribeOptions { Transport = transport }, numbers, Token);

        await Eventually.TrueAsync(() => issued > 1, TimeSpan.FromSeconds(30), "the token is asked for again", Token);
        await Numbers.ReachAsync(numbers, Numbers.CountOf(numbers) + 20, Token);
        stop.SetResult();
        var count = await publishing;
        await publisher.PublishAsync(_stream, new NewEvent("STREAM_END"), cancellationToken: Token);
        await following.WaitAsync(TimeSpan.FromSeconds(30), Token);

        Assert.Equal(Enumerable.Range(1, count), numbers);
    }

    private static string Issue(string claims) => TokenIssuer.Hs256(TokenIssuer.Claims(claims));

    private Task<PublishReceipt> PublishAsync() => CreatePublisher("""{"publish":["mine-*"]}""")
        .PublishAsync(_stream, [Numbers.Event(1), new NewEvent("STREAM_END")], cancellationToken: Token);

    private EventPublisher CreatePublisher(string claims) =>
        new(new HttpClient { BaseAddress = _publisher.Http }, new StreamingClientOptions { AccessToken = Issue(claims) });
}

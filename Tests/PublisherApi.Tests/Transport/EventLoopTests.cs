using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using AspireStreaming.TestSupport;
using AspireStreaming.Transport;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace AspireStreaming.PublisherApi.Tests.Transport;

/// <summary>A server whose connections are served by event loops, with plain sockets and .NET's own client.</summary>
public sealed class EventLoopTests : IAsyncLifetime
{
    private const int Large = 32 << 20;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly X509Certificate2 _certificate = SelfSignedCertificate.Create();
    private readonly ConcurrentQueue<string?> _threads = new();
    private readonly TaskCompletionSource _entered = NewSignal();
    private readonly TaskCompletionSource _aborted = NewSignal();
    private readonly TaskCompletionSource _mayRead = NewSignal();
    private WebApplication _app = null!;
    private int _open;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(IPAddress.Loopback, 0, Count);
            kestrel.Listen(IPAddress.Parse("127.0.0.2"), 0, listen => listen.UseHttps(_certificate));
            kestrel.Listen(IPAddress.Parse("127.0.0.3"), 0, listen => listen.Protocols = HttpProtocols.Http2);
        });
        builder.Services.AddEventLoops(_ => 2);
        _app = builder.Build();
        _app.MapPost("/echo", async context =>
        {
            _threads.Enqueue(Thread.CurrentThread.Name);
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, Cancel);
            context.Response.ContentLength = body.Length;
            body.Position = 0;
            await body.CopyToAsync(context.Response.Body, Cancel);
        });
        _app.MapPost("/slow", async (HttpContext context) =>
        {
            _entered.TrySetResult();
            await _mayRead.Task;
            return Convert.ToHexString(await SHA256.HashDataAsync(context.Request.Body, Cancel));
        });
        _app.MapGet("/large", async context =>
        {
            context.Response.ContentLength = Large;
            var part = new byte[64 << 10];
            for (var sent = 0; sent < Large; sent += part.Length)
            {
                part.AsSpan().Fill((byte)(sent / part.Length));
                await context.Response.Body.WriteAsync(part, Cancel);
            }
        });
        _app.MapGet("/wait", async context =>
        {
            _entered.TrySetResult();
            await ((Task)_mayRead.Task.WaitAsync(context.RequestAborted)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (context.RequestAborted.IsCancellationRequested)
            {
                _aborted.TrySetResult();
            }
        });
        _app.MapGet("/broken", async context =>
        {
            context.Response.ContentLength = 100;
            await context.Response.Body.WriteAsync("half"u8.ToArray(), Cancel);
            context.Abort();
        });
        await _app.StartAsync(Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        _mayRead.TrySetResult();
        await _app.DisposeAsync();
        _certificate.Dispose();
    }

    [Fact]
    public async Task Request_on_an_open_connection_is_served_in_a_loops_thread()
    {
        using var client = await ConnectAsync();

        // A request that overtakes the end of the last one is served where that ends, which need not be a loop's thread.
        await Eventually.TrueAsync(
            async () =>
            {
                await client.SendAsync(Post("x"), Cancel);
                Assert.EndsWith("\r\n\r\nx", await ReadAsync(client, until: "\r\n\r\nx"), StringComparison.Ordinal);
                return _threads.Last()?.StartsWith("Connections ", StringComparison.Ordinal) == true;
            },
            Patience,
            "a request in a loop's thread",
            Cancel);
    }

    [Fact]
    public async Task Requests_sent_together_are_answered_in_order()
    {
        using var client = await ConnectAsync();
        var requests = Enumerable.Range(100, 50).Select(index => index.ToString(CultureInfo.InvariantCulture)).ToList();

        await client.SendAsync(requests.SelectMany(Post).ToArray(), Cancel);
        var text = await ReadAsync(client, until: "\r\n\r\n149");

        Assert.Equal(
            requests,
            text.Split("\r\n\r\n").Skip(1).Select(body => body[..3]));
    }

    [Fact]
    public async Task Body_that_the_handler_does_not_read_yet_waits_with_the_client_and_arrives_whole()
    {
        var body = RandomNumberGenerator.GetBytes(Large);
        using var client = await ConnectAsync();
        await client.SendAsync(Encoding.ASCII.GetBytes($"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: {body.Length}\r\n\r\n"), Cancel);
        var sending = SendAllAsync(client, body);
        await _entered.Task.WaitAsync(Patience, Cancel);
        Assert.False(sending.IsCompleted);

        _mayRead.TrySetResult();
        await sending.WaitAsync(Patience, Cancel);

        var expected = Convert.ToHexString(SHA256.HashData(body));
        Assert.Contains(expected, await ReadAsync(client, until: expected), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("127.0.0.1", false)]
    [InlineData("127.0.0.2", false)]
    [InlineData("127.0.0.3", true)]
    public async Task Large_bodies_and_answers_are_whole_over_plain_tls_and_http2(string address, bool http2)
    {
        using var client = NewClient(address, http2);
        var body = RandomNumberGenerator.GetBytes(3 << 20);
        using var content = new ByteArrayContent(body);

        using var echo = await client.PostAsync("/echo", content, Cancel);
        var large = await client.GetByteArrayAsync(new Uri("/large", UriKind.Relative), Cancel);

        Assert.Equal(body, await echo.Content.ReadAsByteArrayAsync(Cancel));
        Assert.Equal(Large, large.Length);
        Assert.All(Enumerable.Range(0, Large >> 16), part => Assert.Equal((byte)part, large[(part << 16) + part]));
    }

    [Fact]
    public async Task Answer_to_a_client_that_reads_late_and_wants_the_connection_closed_is_whole()
    {
        using var client = await ConnectAsync();
        await client.SendAsync("GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"u8.ToArray(), Cancel);

        // Nothing is read before the socket takes no more.
        await Eventually.TrueAsync(() => client.Available > 0, Patience, "the answer has begun", Cancel);
        var received = 0;
        var buffer = new byte[1 << 20];
        while (await client.ReceiveAsync(buffer, Cancel).AsTask().WaitAsync(Patience, Cancel) is > 0 and var count)
        {
            received += count;
        }

        Assert.InRange(received, Large + 1, Large + 1024);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Client_that_leaves_aborts_its_request(bool reset)
    {
        using var client = await ConnectAsync();
        await client.SendAsync("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray(), Cancel);
        await _entered.Task.WaitAsync(Patience, Cancel);

        if (reset)
        {
            client.Close(timeout: 0);
        }
        else
        {
            client.Shutdown(SocketShutdown.Send);
        }

        await _aborted.Task.WaitAsync(Patience, Cancel);
    }

    [Fact]
    public async Task Aborted_answer_does_not_look_like_an_end()
    {
        using var client = await ConnectAsync();
        await client.SendAsync("GET /broken HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray(), Cancel);

        var buffer = new byte[4096];
        var reset = await Assert.ThrowsAsync<SocketException>(async () =>
        {
            while (await client.ReceiveAsync(buffer, Cancel).AsTask().WaitAsync(Patience, Cancel) > 0)
            {
            }
        });

        Assert.Equal(SocketError.ConnectionReset, reset.SocketErrorCode);
    }

    [Fact]
    public async Task Connections_that_come_and_go_leave_nothing()
    {
        for (var round = 0; round < 5; round++)
        {
            var clients = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => ConnectAsync()));
            await Task.WhenAll(clients.Select(async client =>
            {
                await client.SendAsync(Post("x"), Cancel);
                await ReadAsync(client, until: "\r\n\r\nx");
            }));
            Assert.Equal(100, Volatile.Read(ref _open));
            for (var index = 0; index < clients.Length; index++)
            {
                if (index % 2 == 0)
                {
                    clients[index].Close(timeout: 0);
                }

                clients[index].Dispose();
            }

            await Eventually.TrueAsync(() => Volatile.Read(ref _open) == 0, Patience, "no connection is open", Cancel);
        }
    }

    [Fact]
    public async Task Stop_with_idle_connections_closes_them_and_takes_no_more()
    {
        using var client = await ConnectAsync();
        await client.SendAsync(Post("x"), Cancel);
        await ReadAsync(client, until: "\r\n\r\nx");

        await _app.StopAsync(Cancel).WaitAsync(Patience, Cancel);

        Assert.Equal(0, await client.ReceiveAsync(new byte[1], Cancel).AsTask().WaitAsync(Patience, Cancel));
        await Assert.ThrowsAsync<SocketException>(ConnectAsync);
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static byte[] Post(string body) =>
        Encoding.ASCII.GetBytes($"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {body.Length}\r\n\r\n{body}");

    private static async Task<string> ReadAsync(Socket client, string until)
    {
        var text = new StringBuilder();
        var buffer = new byte[4096];
        while (!text.ToString().Contains(until, StringComparison.Ordinal))
        {
            var count = await client.ReceiveAsync(buffer, Cancel).AsTask().WaitAsync(Patience, Cancel);
            Assert.NotEqual(0, count);
            text.Append(Encoding.ASCII.GetString(buffer.AsSpan(0, count)));
        }

        return text.ToString();
    }

    private static async Task SendAllAsync(Socket client, ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await client.SendAsync(bytes, Cancel)..];
        }
    }

    /// <summary>Counts the server's open connections.</summary>
    private void Count(ListenOptions listen) => listen.Use(next => async connection =>
    {
        Interlocked.Increment(ref _open);
        Assert.IsType<EventLoopConnection>(connection);
        Assert.NotNull(connection.Features.Get<IConnectionSocketFeature>());
        try
        {
            await next(connection);
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
    });

    private HttpClient NewClient(string address, bool http2)
    {
        var handler = new SocketsHttpHandler
        {
            SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = (_, certificate, _, _) => _certificate.Equals(certificate) },
        };
        return new HttpClient(handler)
        {
            BaseAddress = new Uri(_app.Urls.Single(url => url.Contains(address, StringComparison.Ordinal))),
            DefaultRequestVersion = http2 ? HttpVersion.Version20 : HttpVersion.Version11,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = Patience,
        };
    }

    private async Task<Socket> ConnectAsync()
    {
        var url = new Uri(_app.Urls.Single(url => url.Contains("127.0.0.1", StringComparison.Ordinal)));
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await client.ConnectAsync(url.Host, url.Port, Cancel);
        return client;
    }
}

using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using AspireStreaming.StreamApi.Tests.Sessions;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;
using AspireStreaming.V1;
using Grpc.Net.Client;

namespace AspireStreaming.StreamApi.Tests.Connections;

/// <summary>
/// What is delivered is the same over plain sockets and TLS, and whether event loops serve the connections or the server's own transport.
/// There is more of it than sockets take at once.
/// </summary>
public sealed class TransportEndsTests(SharedHost shared) : IDisposable
{
    private const int Events = 300;
    private const int EventBytes = 40 << 10;

    private readonly string _stream = TestLog.NewStream();
    private readonly X509Certificate2 _certificate = SelfSignedCertificate.Create();
    private readonly string _certificateFile = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.pfx");

    public static TheoryData<bool, bool> Ends => new() { { true, true }, { true, false }, { false, true }, { false, false } };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        File.Delete(_certificateFile);
        _certificate.Dispose();
    }

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task Sse_delivers_everything_in_order(bool loops, bool tls)
    {
        await AppendAsync();
        await using var host = await StartAsync(loops, tls);
        using var client = new HttpClient(Handler());
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(tls ? host.Https! : host.Http, $"/streams/{_stream}/events"));
        request.Headers.Accept.ParseAdd("text/event-stream");

        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancel));
        var sequences = new List<long>();
        while (await reader.ReadLineAsync(Cancel).AsTask().WaitAsync(SseClient.Patience, Cancel) is { } line)
        {
            if (line.StartsWith("id: ", StringComparison.Ordinal) && !line.EndsWith("-0", StringComparison.Ordinal))
            {
                sequences.Add(long.Parse(line.AsSpan(line.IndexOf('-', StringComparison.Ordinal) + 1), CultureInfo.InvariantCulture));
            }
        }

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(Expected(), sequences);
    }

    [Fact]
    public async Task Event_loops_take_no_processor_from_other_threads()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "There are event loops on Linux only.");
        await using var host = await StartAsync(loops: true, tls: false);

        // Those of the Publisher API, which this process may have too, are as all threads are.
        await Eventually.TrueAsync(() => PoliciesOf("Connections ").Contains("3"), SseClient.Patience, "loops are SCHED_BATCH", Cancel);
    }

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task Grpc_subscribe_delivers_everything_in_order(bool loops, bool tls)
    {
        await AppendAsync();
        await using var host = await StartAsync(loops, tls);
        using var channel = Channel(host, tls);
        using var call = new Streams.StreamsClient(channel).Subscribe(new SubscribeRequest { Stream = _stream }, cancellationToken: Cancel);

        var sequences = new List<long>();
        while (await call.ResponseStream.MoveNext(Cancel).WaitAsync(SseClient.Patience, Cancel))
        {
            if (call.ResponseStream.Current.Event is { } item)
            {
                sequences.Add(item.Sequence);
            }
        }

        Assert.Equal(Expected(), sequences);
    }

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task Grpc_session_delivers_everything_in_order_and_takes_acknowledgements(bool loops, bool tls)
    {
        await AppendAsync();
        await using var host = await StartAsync(loops, tls);
        using var channel = Channel(host, tls);
        using var call = new Streams.StreamsClient(channel).Session(cancellationToken: Cancel);
        await call.RequestStream.WriteAsync(
            new ClientMessage { Subscribe = new SessionSubscribe { Sub = "1", Stream = _stream, Window = 16 } }, Cancel);

        var sequences = new List<long>();
        while (sequences.Count <= Events && await call.ResponseStream.MoveNext(Cancel).WaitAsync(SseClient.Patience, Cancel))
        {
            if (call.ResponseStream.Current.Event is not { } item)
            {
                continue;
            }

            sequences.Add(item.Sequence);
            if (item.Sequence % 8 == 0)
            {
                await call.RequestStream.WriteAsync(new ClientMessage { Ack = new SessionAck { Sub = "1", Position = item.Position } }, Cancel);
            }
        }

        Assert.Equal(Expected(), sequences);
    }

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task WebSocket_session_delivers_everything_in_order_and_takes_acknowledgements(bool loops, bool tls)
    {
        await AppendAsync();
        await using var host = await StartAsync(loops, tls);
        using var invoker = new HttpMessageInvoker(Handler());
        await using var client = await WebSocketSessionClient.OpenAsync(tls ? host.Https! : host.Http, invoker);
        await client.SubscribeAsync("1", _stream, window: 16);

        var sequences = new List<long>();
        while (sequences.Count <= Events)
        {
            var message = await client.ReadAsync();
            if (message.Type != "event")
            {
                continue;
            }

            sequences.Add(message.Body.GetProperty("event").GetProperty("sequence").GetInt64());
            if (sequences[^1] % 8 == 0)
            {
                await client.AckAsync("1", message.Position);
            }
        }

        await client.CompleteAsync();
        while (await client.TryReadAsync() is not null)
        {
        }

        Assert.Equal(Expected(), sequences);
    }

    private static IEnumerable<long> Expected() => Enumerable.Range(1, Events + 1).Select(number => (long)number);

    /// <summary>How Linux schedules this process's threads of some names: field 41 of proc(5)'s <c>stat</c>, where 3 is SCHED_BATCH.</summary>
    private static List<string> PoliciesOf(string names)
    {
        var policies = new List<string>();
        foreach (var thread in Directory.GetDirectories("/proc/self/task"))
        {
            try
            {
                if (File.ReadAllText($"{thread}/comm").StartsWith(names, StringComparison.Ordinal))
                {
                    policies.Add(File.ReadAllText($"{thread}/stat").Split(") ")[^1].Split(' ')[41 - 3]);
                }
            }
            catch (IOException)
            {
                // It ended meanwhile.
            }
        }

        return policies;
    }

    private async Task AppendAsync()
    {
        var data = $"\"{new string('x', EventBytes)}\"";
        for (var batch = 0; batch < Events / 20; batch++)
        {
            await shared.Log.AppendAsync(_stream, [.. Enumerable.Range(0, 20).Select(_ => shared.Log.Event(data: data))]);
        }

        await shared.Log.AppendAsync(_stream, shared.Log.Event("WORKFLOW_COMPLETED"));
    }

    private async Task<StreamApiHost> StartAsync(bool loops, bool tls)
    {
        List<string> settings = [$"--Delivery:EventLoops={(loops ? 2 : 0)}"];
        if (tls)
        {
            await File.WriteAllBytesAsync(_certificateFile, _certificate.Export(X509ContentType.Pfx, "secret"), Cancel);
            settings.AddRange(
            [
                "--Kestrel:Endpoints:https:Url=https://127.0.0.1:0",
                "--Kestrel:Endpoints:https:Protocols=Http1AndHttp2",
                $"--Kestrel:Endpoints:https:Certificate:Path={_certificateFile}",
                "--Kestrel:Endpoints:https:Certificate:Password=secret",
            ]);
        }

        return await StreamApiHost.StartAsync(shared.Redis, [.. settings]);
    }

    private GrpcChannel Channel(StreamApiHost host, bool tls) =>
        GrpcChannel.ForAddress(tls ? host.Https! : host.Grpc, new GrpcChannelOptions { HttpHandler = Handler(), DisposeHttpClient = true });

    private SocketsHttpHandler Handler() => new()
    {
        SslOptions = new SslClientAuthenticationOptions
        {
            RemoteCertificateValidationCallback = (_, given, _, _) => given?.GetCertHashString() == _certificate.GetCertHashString(),
        },
    };
}

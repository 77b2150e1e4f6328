using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.V1;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace AspireStreaming.StreamApi.Tests.Sessions;

/// <summary>
/// Deliveries a second by SSE, WebSocket sessions, gRPC sessions and gRPC Subscribe in one run, with clients that look at no more than
/// they must; run by hand (<c>-explicit only</c>). Sessions acknowledge, with adaptive windows.
/// </summary>
public sealed class ThroughputMeasurements(RedisFixture redis, ITestOutputHelper output)
{
    private const int Repetitions = 3;

    /// <summary>Where in an event's message the name of the subscription has ended, at four digits at most.</summary>
    private const int SubEnd = 28;

    private static readonly byte[] EndMark = "stream.end"u8.ToArray();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory(Explicit = true)]
    [InlineData(1, 100_000)]
    [InlineData(1_000, 1_000)]
    public async Task Transports(int subscribers, int events)
    {
        await using var host = await StreamApiHost.StartAsync(
            redis.Process.ConnectionString, "--Delivery:MaxConnections=5000", "--Delivery:WindowEvents=20000");
        using var log = new TestLog(redis.Process.ConnectionString);
        var baseline = 0.0;
        foreach (var (name, run) in new (string, Func<string, Task[]>)[]
        {
            ("SSE", stream => Repeat(subscribers, () => SseAsync(host.Http, stream))),
            ("WebSocket, a session each", stream => Repeat(subscribers, () => WebSocketAsync(host.Http, stream, 1))),
            ("WebSocket, one session", stream => [WebSocketAsync(host.Http, stream, subscribers)]),
            ("gRPC Subscribe", stream => GrpcSubscribe(host.Grpc, stream, subscribers)),
            ("gRPC, a session each", stream => GrpcSessions(host.Grpc, stream, subscribers, 1)),
            ("gRPC, one session", stream => GrpcSessions(host.Grpc, stream, 1, subscribers)),
        })
        {
            var rates = new List<double>();
            for (var repetition = 0; repetition < Repetitions; repetition++)
            {
                rates.Add(await MeasureAsync(host, log, run, subscribers, events));
            }

            var median = rates.Order().ElementAt(Repetitions / 2);
            baseline = baseline == 0 ? median : baseline;
            output.WriteLine($"{subscribers} subscribers, {name}: {median:N0} deliveries/s, {median / baseline:P0} of SSE");
        }
    }

    private static Task[] Repeat(int count, Func<Task> start) => [.. Enumerable.Range(0, count).Select(_ => start())];

    private static async Task<double> MeasureAsync(StreamApiHost host, TestLog log, Func<string, Task[]> run, int subscribers, int events)
    {
        var stream = TestLog.NewStream();
        var clients = run(stream);
        var feeds = host.Get<StreamApi.Delivery.FeedRegistry>();
        await TestSupport.Eventually.TrueAsync(
            () => feeds.Find(stream)?.Readers == subscribers, TimeSpan.FromSeconds(60), "all have subscribed", Cancel);
        var batch = Math.Min(events, 500);
        var data = $"\"{new string('x', 150)}\"";
        var clock = Stopwatch.StartNew();
        for (var count = 0; count < events; count += batch)
        {
            await log.AppendAsync(stream, [.. Enumerable.Range(0, batch).Select(_ => log.Event(data: data))]);
        }

        await log.AppendAsync(stream, log.Event("STREAM_END"));
        await Task.WhenAll(clients);
        return (double)events * subscribers / clock.Elapsed.TotalSeconds;
    }

    private static async Task SseAsync(Uri server, string stream)
    {
        using var tcp = new TcpClient { NoDelay = true };
        await tcp.ConnectAsync(server.Host, server.Port, Cancel);
        await tcp.GetStream().WriteAsync(
            Encoding.ASCII.GetBytes($"GET /streams/{stream}/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"), Cancel);
        var buffer = new byte[64 << 10];
        while (await tcp.GetStream().ReadAsync(buffer, Cancel) is var count and > 0)
        {
            if (buffer.AsSpan(0, count).IndexOf(EndMark) >= 0)
            {
                return;
            }
        }
    }

    private static async Task WebSocketAsync(Uri server, string stream, int subscriptions)
    {
        using var tcp = new TcpClient { NoDelay = true };
        await tcp.ConnectAsync(server.Host, server.Port, Cancel);
        var network = tcp.GetStream();
        await network.WriteAsync(
            "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"u8.ToArray(),
            Cancel);
        var buffer = new byte[64 << 10];
        _ = await network.ReadAtLeastAsync(buffer, 1, cancellationToken: Cancel);
        for (var sub = 0; sub < subscriptions; sub++)
        {
            await network.WriteAsync(Frame($$"""{"type":"subscribe","sub":"{{sub}}","stream":"{{stream}}"}"""), Cancel);
        }

        var ends = 0;
        var length = 0;
        while (ends < subscriptions)
        {
            var count = await network.ReadAsync(buffer.AsMemory(length), Cancel);
            if (count == 0)
            {
                return;
            }

            length += count;
            var used = Take(buffer.AsSpan(0, length), ref ends, out var acks);
            buffer.AsSpan(used, length - used).CopyTo(buffer);
            length -= used;
            if (acks.Length > 0)
            {
                await network.WriteAsync(acks, Cancel);
            }
        }
    }

    /// <summary>Takes the whole frames; acknowledges the last event of each subscription among them.</summary>
    private static int Take(ReadOnlySpan<byte> read, ref int ends, out byte[] acks)
    {
        var last = new Dictionary<string, string>(StringComparer.Ordinal);
        var used = 0;
        ReadOnlySpan<byte> before = default;
        while (TryReadFrame(read[used..], out var head, out var payload))
        {
            used += head + payload.Length;
            if (payload.StartsWith("{\"type\":\"event\""u8))
            {
                // Only the last of a row of events of one subscription is looked at.
                if (!before.IsEmpty && !before[..SubEnd].SequenceEqual(payload[..SubEnd]))
                {
                    last[Text(before, "\"sub\":\""u8)] = Text(before, "\"position\":\""u8);
                }

                before = payload;
            }
            else if (payload.IndexOf(EndMark) >= 0)
            {
                ends++;
            }
        }

        if (!before.IsEmpty)
        {
            last[Text(before, "\"sub\":\""u8)] = Text(before, "\"position\":\""u8);
        }

        acks = [.. last.SelectMany(pair => Frame($$"""{"type":"ack","sub":"{{pair.Key}}","position":"{{pair.Value}}"}"""))];
        return used;
    }

    private static bool TryReadFrame(ReadOnlySpan<byte> bytes, out int head, out ReadOnlySpan<byte> payload)
    {
        payload = default;
        head = bytes.Length < 2 ? 2 : bytes[1] < 126 ? 2 : 4;
        if (bytes.Length < head)
        {
            return false;
        }

        var length = head == 2 ? bytes[1] : BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        if (bytes.Length < head + length)
        {
            return false;
        }

        payload = bytes.Slice(head, length);
        return true;
    }

    private static string Text(ReadOnlySpan<byte> payload, ReadOnlySpan<byte> member)
    {
        var text = payload[(payload.IndexOf(member) + member.Length)..];
        return Encoding.ASCII.GetString(text[..text.IndexOf((byte)'"')]);
    }

    /// <summary>A masked text frame whose mask changes nothing.</summary>
    private static byte[] Frame(string text)
    {
        var payload = Encoding.UTF8.GetBytes(text);
        byte[] head = payload.Length <= 125
            ? [0x81, (byte)(0x80 | payload.Length), 0, 0, 0, 0]
            : [0x81, 0x80 | 126, (byte)(payload.Length >> 8), (byte)payload.Length, 0, 0, 0, 0];
        return [.. head, .. payload];
    }

    private static Task[] GrpcSubscribe(Uri server, string stream, int count) => OnChannels(server, count, async channel =>
    {
        using var call = channel.CreateCallInvoker().AsyncServerStreamingCall(
            Raw<SubscribeRequest>(MethodType.ServerStreaming, "Subscribe"), null, new CallOptions(cancellationToken: Cancel), new SubscribeRequest { Stream = stream });
        while (await call.ResponseStream.MoveNext(Cancel))
        {
        }
    });

    private static Task[] GrpcSessions(Uri server, string stream, int count, int subscriptions) => OnChannels(server, count, async channel =>
    {
        using var call = channel.CreateCallInvoker().AsyncDuplexStreamingCall(
            Raw<ClientMessage>(MethodType.DuplexStreaming, "Session"), null, new CallOptions(cancellationToken: Cancel));
        for (var sub = 0; sub < subscriptions; sub++)
        {
            await call.RequestStream.WriteAsync(
                new ClientMessage { Subscribe = new SessionSubscribe { Sub = $"{sub + 1_000}", Stream = stream } }, Cancel);
        }

        // The name is at the same place in each message, because all names are of one length.
        var unacknowledged = new Dictionary<int, byte[]>();
        for (var ends = 0; ends < subscriptions;)
        {
            var next = call.ResponseStream.MoveNext(Cancel);
            if (!next.IsCompleted)
            {
                foreach (var (_, last) in unacknowledged)
                {
                    var message = ServerMessage.Parser.ParseFrom(last);
                    await call.RequestStream.WriteAsync(
                        new ClientMessage { Ack = new SessionAck { Sub = message.Sub, Position = message.Event.Position } }, Cancel);
                }

                unacknowledged.Clear();
            }

            if (!await next)
            {
                return;
            }

            var bytes = call.ResponseStream.Current;
            if (bytes[6] == ((ServerMessage.EventFieldNumber << 3) | 2))
            {
                unacknowledged[BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(2))] = bytes;
            }
            else if (bytes.AsSpan().IndexOf(EndMark) >= 0)
            {
                ends++;
            }
        }

        await call.RequestStream.CompleteAsync();
    });

    /// <summary>A method whose answers are left as they are.</summary>
    private static Method<T, byte[]> Raw<T>(MethodType type, string name)
        where T : class, IMessage<T> => new(
        type,
        Streams.Descriptor.FullName,
        name,
        Marshallers.Create<T>((message, context) => context.Complete(message.ToByteArray()), _ => throw new NotSupportedException()),
        Marshallers.Create<byte[]>((_, _) => throw new NotSupportedException(), context => context.PayloadAsNewBuffer()));

    /// <summary>A hundred calls a channel.</summary>
    private static Task[] OnChannels(Uri server, int count, Func<GrpcChannel, Task> run) =>
    [
        .. Enumerable.Range(0, count).Chunk(100).Select(async chunk =>
        {
            using var channel = GrpcChannel.ForAddress(server);
            await Task.WhenAll(chunk.Select(_ => run(channel)));
        }),
    ];
}

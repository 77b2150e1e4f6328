using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using AspireStreaming.Streaming.Redis.Wire;
using AspireStreaming.TestSupport;

namespace AspireStreaming.Streaming.Tests.Redis;

/// <summary>Who is given what of bytes that came together, against a server whose every byte the test decides.</summary>
public sealed class WireConnectionTests : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentQueue<string> _told = new();
    private readonly ConcurrentDictionary<string, IWireSubscriber> _subscribers = new();
    private Socket? _server;

    public WireConnectionTests() => _listener.Start();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private WireSettings Settings => new(_listener.LocalEndpoint, null, null, "test", 0);

    public void Dispose()
    {
        _server?.Dispose();
        _listener.Dispose();
    }

    [Fact]
    public async Task Messages_that_come_together_are_all_received_before_anybody_is_served_and_each_is_served_once()
    {
        using var connection = await SubscribeAsync("a", "b");

        await SendAsync(Message("a", "1") + Message("b", "2") + Message("nobody", "3") + Message("a", "4"));

        await ToldAsync(5);
        Assert.Equal(["a 1", "b 2", "a 4", "serve a here", "serve b here"], _told);
    }

    [Fact]
    public async Task Of_many_that_got_something_together_only_some_are_served_in_the_thread_that_reads()
    {
        var names = Enumerable.Range(0, 20).Select(number => $"s{number}").ToArray();
        using var connection = await SubscribeAsync(names);

        await SendAsync(string.Concat(names.Select(name => Message(name, "x"))));

        await ToldAsync(40);
        var served = _told.Skip(20).ToArray();
        Assert.Equal(names.Select(name => $"serve {name} ").Order(), served.Select(told => told[..(told.LastIndexOf(' ') + 1)]).Order());
        Assert.Equal(16, served.Count(told => told.EndsWith(" here", StringComparison.Ordinal)));
        Assert.All(served[..4], told => Assert.EndsWith(" elsewhere", told));
    }

    [Fact]
    public async Task Message_that_asks_for_nothing_serves_nobody()
    {
        using var connection = await SubscribeAsync("a", "b");

        await SendAsync(Message("a", "-") + Message("b", "1"));

        await ToldAsync(3);
        Assert.Equal(["a -", "b 1", "serve b here"], _told);
    }

    [Fact]
    public async Task Who_got_something_before_damaged_bytes_is_served()
    {
        using var connection = await SubscribeAsync("a");

        await SendAsync(Message("a", "1") + "?\r\n");

        await ToldAsync(2);
        Assert.Equal(["a 1", "serve a here"], _told);
        Assert.IsType<RedisLostException>(await connection.Closed.WaitAsync(Deadline, Cancelled));
    }

    [Fact]
    public async Task Command_that_was_answered_before_damaged_bytes_has_its_answer_and_the_next_fails()
    {
        using var connection = new CommandConnection(Settings, Deadline, TimeProvider.System);
        await OpenAsync(connection);
        Assert.True(connection.TrySend(new Call(_told, "1")));
        Assert.True(connection.TrySend(new Call(_told, "2")));

        await SendAsync("+yes\r\n?\r\n");

        await ToldAsync(2);
        Assert.Equal(["1 yes", "2 failed"], _told);
    }

    [Fact]
    public async Task Caller_does_not_wait_for_a_server_that_reads_nothing()
    {
        using var connection = new CommandConnection(Settings, Deadline, TimeProvider.System);
        await OpenAsync(connection);

        // More than a socket holds; who waited for it would be failed when the time-out has passed.
        for (var number = 0; number < 500; number++)
        {
            Assert.True(connection.TrySend(new Call(_told, "1") { Padding = new string('x', 64 << 10) }));
        }

        Assert.False(connection.Closed.IsCompleted);
        Assert.Empty(_told);
    }

    private static string Message(string channel, string message) =>
        $"*3\r\n$7\r\nmessage\r\n${channel.Length}\r\n{channel}\r\n${message.Length}\r\n{message}\r\n";

    private async Task<SubscriberConnection> SubscribeAsync(params string[] names)
    {
        foreach (var name in names)
        {
            _subscribers[name] = new Subscriber(_told, name);
        }

        var connection = new SubscriberConnection(Settings, _subscribers, Deadline, TimeProvider.System);
        await OpenAsync(connection);
        return connection;
    }

    private async Task OpenAsync(WireConnection connection)
    {
        var opening = connection.OpenAsync(Cancelled);
        _server = await _listener.AcceptSocketAsync(Cancelled);

        // To its name and its two questions.
        await SendAsync("+OK\r\n$11\r\nrun_id:self\r\n$11\r\nrole:master\r\n");
        await opening;
    }

    private async Task SendAsync(string bytes) => await _server!.SendAsync(Encoding.ASCII.GetBytes(bytes), SocketFlags.None, Cancelled);

    private Task ToldAsync(int count) => Eventually.TrueAsync(() => _told.Count >= count, Deadline, $"{count} calls", Cancelled);

    private sealed class Subscriber(ConcurrentQueue<string> told, string name) : IWireSubscriber
    {
        public bool OnMessage(ReadOnlyMemory<byte> message)
        {
            var text = Encoding.ASCII.GetString(message.Span);
            told.Enqueue($"{name} {text}");
            return text != "-";
        }

        public void OnReceived(bool inline) => told.Enqueue($"serve {name} {(inline ? "here" : "elsewhere")}");
    }

    private sealed class Call(ConcurrentQueue<string> told, string name) : WireCall
    {
        private string _answer = "";

        public string Padding { get; init; } = "";

        public override int Callers => 1;

        public override void Write(RespBuffer into)
        {
            into.WriteCommand(2);
            into.Write(name);
            into.Write(Padding);
        }

        public override void Take(in RespReply reply) => _answer = reply.Text;

        public override void Complete(bool inline) => told.Enqueue($"{name} {_answer}");

        public override void Fail(Exception exception) => told.Enqueue($"{name} failed");
    }
}

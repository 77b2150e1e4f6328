using System.Text;
using AspireStreaming.StreamApi.Sessions;
using AspireStreaming.StreamApi.Sessions.WebSockets;

namespace AspireStreaming.StreamApi.Tests.Sessions;

public sealed class SessionJsonReaderTests
{
    private static readonly SessionCommands Commands = new(new SessionOptions());

    [Fact]
    public void Read_subscribe_has_all_its_members_in_any_order()
    {
        var command = Assert.IsType<SubscribeCommand>(Read(
            """{"window":20,"lag":5,"policy":"drop","types":["A","B"],"from":"7-8","cursor":"c","unknown":{"a":[1]},"stream":"s","sub":"1","type":"subscribe"}"""));

        Assert.Equal(("1", "s", 20, "c"), (command.Sub, command.Request.Stream, command.Window, command.Cursor));
        Assert.True(command.IsFromGiven);
        Assert.Equal(5, command.Request.Lag);
        Assert.NotNull(command.Request.Types);
    }

    [Fact]
    public void Read_subscribe_without_window_is_adaptive_and_null_means_not_given()
    {
        var command = Assert.IsType<SubscribeCommand>(Read("""{"type":"subscribe","sub":"1","stream":"s","from":null,"cursor":null}"""));

        Assert.Null(command.Window);
        Assert.Null(command.Cursor);
        Assert.False(command.IsFromGiven);
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("[]")]
    [InlineData("\"ping\"")]
    [InlineData("{}")]
    [InlineData("""{"type":"dance"}""")]
    [InlineData("""{"type":"ping"} {}""")]
    [InlineData("""{"type":5}""")]
    [InlineData("""{"type":"ack","sub":5,"position":"1-1"}""")]
    [InlineData("""{"type":"subscribe","sub":"1","stream":"s","window":"20"}""")]
    [InlineData("""{"type":"subscribe","sub":"1","stream":"s","window":1.5}""")]
    [InlineData("""{"type":"subscribe","sub":"1","stream":"s","types":["A",5]}""")]
    [InlineData("""{"type":"subscribe","sub":"1","stream":"s"}x""")]
    [InlineData("""{"type":"publish","sub":"1","stream":"s","events":[1]}""")]
    [InlineData("""{"type":"publish","sub":"1","stream":"s","events":{}}""")]
    [InlineData("""{"type":"publish","sub":"1","stream":"s","streams":["t"],"events":[{}]}""")]
    [InlineData("""{"type":"publish","sub":"1","streams":["t","t"],"events":[{}]}""")]
    [InlineData("""{"type":"ping","a":"\ud800"}""")]
    public void Read_what_is_not_understood_is_refused_as_400(string message)
    {
        var refused = Read(message) is RefusedCommand { Fault.Status: 400 };

        Assert.True(refused || message.Contains("ud800", StringComparison.Ordinal));
    }

    [Fact]
    public void Read_an_error_names_the_sub_if_that_was_understood()
    {
        var refused = Assert.IsType<RefusedCommand>(Read("""{"sub":"7","type":"subscribe","stream":"a b"}"""));

        Assert.Equal("7", refused.Sub);
        Assert.Equal("urn:aspirestreaming:problem:invalid-parameter", refused.Fault.Type);
    }

    [Theory]
    [InlineData("""{"type":"ack","sub":"1","position":"1700000000000-42"}""", true)]
    [InlineData("""{"type":"ack","sub":"","position":"1-1"}""", true)]
    [InlineData("""{"type":"ack","sub":"1","position":"1-1" }""", false)]
    [InlineData("""{"type":"ack","sub":"1","position":"x"}""", false)]
    [InlineData("""{"type":"ack","sub":"1","position":"1-1","sub":"2"}""", false)]
    [InlineData("""{"type":"ack","sub":"1","position":"1-1""", false)]
    [InlineData("""{"type":"ack","sub":"a\"b","position":"1-1"}""", false)]
    [InlineData("""{"type":"ack","sub":"1}""", false)]
    [InlineData("""{"type":"ack","sub":"1","position":""", false)]
    [InlineData("""{"type":"ack","sub":"1","position":"1-1"}}""", false)]
    [InlineData("""{"sub":"1","type":"ack","position":"1-1"}""", false)]
    [InlineData("""{"type":"ping"}""", false)]
    public void TryReadAck_reads_what_is_written_plainly_as_the_reader_does_and_leaves_it_the_rest(string message, bool isRead)
    {
        Assert.Equal(isRead, SessionJsonReader.TryReadAck(Encoding.UTF8.GetBytes(message), out var sub, out var position));
        if (isRead && !sub.IsEmpty)
        {
            Assert.Equal(new AckCommand(Encoding.UTF8.GetString(sub), position), Read(message));
        }
    }

    [Fact]
    public void Complete_gives_ids_to_events_without_one_and_leaves_the_rest_as_it_is()
    {
        var completed = Encoding.UTF8.GetString(PublishedEvents.Complete(
            """[ {"type":"A","data":{"id":5}}, {"id":"x", "type":"B"},{ }]"""u8).Span);

        Assert.Matches("""^\[\{"id":"\w{22}\.0","type":"A","data":\{"id":5\}\},\{"id":"x", "type":"B"\},\{"id":"\w{22}\.2" \}\]$""", completed);
    }

    private static SessionCommand Read(string message) => SessionJsonReader.Read(Encoding.UTF8.GetBytes(message), Commands);
}

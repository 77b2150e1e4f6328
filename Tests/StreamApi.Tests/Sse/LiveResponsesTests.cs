using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Sse;
using AspireStreaming.StreamApi.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace AspireStreaming.StreamApi.Tests.Sse;

public sealed class LiveResponsesTests
{
    private readonly LiveResponses _responses = new();
    private readonly DefaultHttpContext _context = new();
    private readonly FakeConnection _connection;

    public LiveResponsesTests(SharedHost shared) => _connection = new FakeConnection(_context, shared.Host.Get<SubscriptionServices>());

    [Fact]
    public async Task ServeAsync_a_client_is_served_when_all_that_judged_its_request_is_done()
    {
        var judging = new TaskCompletionSource();
        var serving = _responses.ServeAsync(_context, context =>
        {
            _responses.Admit(context, _connection);
            return judging.Task;
        });
        Assert.Equal(0, _connection.Served);

        judging.SetResult();
        await serving;

        Assert.Equal((1, 1), (_connection.Served, _connection.Closed));
    }

    [Fact]
    public async Task ServeAsync_a_client_that_was_let_in_at_once_is_served_at_once()
    {
        var serving = _responses.ServeAsync(_context, Admit);

        Assert.Equal((1, 1), (_connection.Served, _connection.Closed));
        await serving;
    }

    [Fact]
    public async Task ServeAsync_serves_a_client_once_and_no_other()
    {
        await _responses.ServeAsync(_context, Admit);
        await _responses.ServeAsync(_context, _ => Task.CompletedTask);
        await _responses.ServeAsync(new DefaultHttpContext(), _ => Task.CompletedTask);

        Assert.Equal((1, 1), (_connection.Served, _connection.Closed));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ServeAsync_a_fault_after_a_client_was_let_in_takes_its_place_away(bool isLater)
    {
        await Assert.ThrowsAsync<InvalidOperationException>(() => _responses.ServeAsync(_context, context =>
        {
            _responses.Admit(context, _connection);
            return isLater ? FailAsync() : throw new InvalidOperationException();
        }));

        Assert.Equal((0, 1), (_connection.Served, _connection.Closed));
    }

    [Fact]
    public async Task ServeAsync_a_request_that_has_its_answer_is_not_served()
    {
        _context.Features.Set<IHttpResponseFeature>(new StartedResponse());

        await _responses.ServeAsync(_context, Admit);

        Assert.Equal((0, 1), (_connection.Served, _connection.Closed));
    }

    private static async Task FailAsync()
    {
        await Task.Yield();
        throw new InvalidOperationException();
    }

    private Task Admit(HttpContext context)
    {
        _responses.Admit(context, _connection);
        return Task.CompletedTask;
    }

    private sealed class StartedResponse : HttpResponseFeature
    {
        public override bool HasStarted => true;
    }

    private sealed class FakeConnection(HttpContext context, SubscriptionServices services) : DeliveryConnection("fake", "s", context, services)
    {
        public int Served { get; private set; }

        public int Closed { get; private set; }

        public override IReadOnlyList<StreamFollower> Followers => [];

        protected override long Pending => 0;

        public override void Abort()
        {
        }

        protected override ValueTask<bool> PrepareAsync()
        {
            Served++;
            return new(false);
        }

        protected override void Close() => Closed++;

        protected override void Open()
        {
        }

        protected override FollowerState Step() => FollowerState.Ended;

        protected override void TellPositions()
        {
        }

        protected override void WriteDrain(int retryMilliseconds, string reason)
        {
        }

        protected override ValueTask<bool> FlushPendingAsync() => new(true);
    }
}

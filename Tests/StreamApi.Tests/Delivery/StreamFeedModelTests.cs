using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.StreamApi.Statistics;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.Streaming.Redis.Wire;
using AspireStreaming.TestSupport;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.StreamApi.Tests.Delivery;

/// <summary>
/// A feed and its readers against a model, over random interleavings: appends whose wakes are lost, late, doubled or out of order,
/// trims, raised epochs with and without loss, readers that come, stop reading and come back. Every event must reach every reader
/// once and in order, or be covered by an announcement.
/// </summary>
public sealed class StreamFeedModelTests(SharedHost shared, ITestOutputHelper output)
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public async Task Readers_get_every_event_once_in_order_or_are_told(int seed)
    {
        output.WriteLine($"seed {seed}");
        var run = new Run(shared, seed);
        await using var feed = run.Feed;
        feed.Start();
        await feed.Ready.WaitAsync(SseClient.Patience, TimeProvider.System, TestContext.Current.CancellationToken);
        for (var step = 0; step < 250; step++)
        {
            await run.StepAsync();
        }

        await run.SettleAsync();
        run.Verify();
    }

    private sealed class Run
    {
        private readonly Random _random;
        private readonly TestLog _log;
        private readonly string _stream;
        private readonly List<StreamPosition> _appended = [];
        private readonly HashSet<StreamPosition> _lost = [];
        private readonly List<EncodedEvent[]> _wakes = [];
        private readonly List<Reader> _readers = [];
        private StreamPosition _last;
        private StreamPosition _trimmed;
        private StreamPosition? _link;

        public Run(SharedHost shared, int seed)
        {
            _random = new Random(seed);
            _log = shared.Log;
            _stream = TestLog.NewStream("model");
            _last = new StreamPosition(1_700_000_000_000, 0);

            // Small windows, so that readers leave them often.
            var services = shared.Host.Services;
            var options = Options.Create(new DeliveryOptions { WindowEvents = 16 + _random.Next(20), PreloadEvents = 8 });
            Feed = new StreamFeed(_stream, new FeedServices(
                Get<IConnectionMultiplexer>(),
                Get<DirectSubscriptions>(),
                Get<HotLogReader>(),
                Get<TierReader>(),
                Get<RedisGate>(),
                Get<StoreRetry>(),
                new WindowBudget(1 << 20),
                Get<WorkflowTally>(),
                Get<StreamApiMetrics>(),
                options,
                TimeProvider.System,
                NullLogger<StreamFeed>.Instance));

            T Get<T>()
                where T : notnull => (T)services.GetService(typeof(T))!;
        }

        public StreamFeed Feed { get; }

        public async Task StepAsync()
        {
            switch (_random.Next(20))
            {
                case < 8:
                    await AppendAsync(1 + _random.Next(6));
                    break;
                case < 13:
                    DeliverWake();
                    break;
                case 13:
                    await TrimAsync();
                    break;
                case 14:
                    await RaiseAsync();
                    break;
                case 15:
                    Feed.OnTailChecked(await _log.Reader.ReadMetaAsync(_stream, TestContext.Current.CancellationToken));
                    break;
                case 16 when _readers.Count < 6:
                    _readers.Add(new Reader(Feed, Start(), _random.Next(3) > 0));
                    break;
                default:
                    foreach (var reader in _readers.Where(_ => _random.Next(2) == 0))
                    {
                        reader.Read(1 + _random.Next(12));
                    }

                    break;
            }
        }

        public async Task SettleAsync()
        {
            _readers.Add(new Reader(Feed, StreamPosition.Zero, false));
            await AppendAsync(1);
            await Eventually.TrueAsync(
                async () =>
                {
                    Feed.OnTailChecked(await _log.Reader.ReadMetaAsync(_stream, TestContext.Current.CancellationToken));
                    foreach (var reader in _readers)
                    {
                        reader.Read(1_000);
                    }

                    return _readers.All(reader => reader.Position == _last);
                },
                SseClient.Patience,
                $"all readers stand at {_last}",
                TestContext.Current.CancellationToken);
        }

        public void Verify()
        {
            foreach (var reader in _readers)
            {
                Assert.Equal(reader.Delivered.Order(), reader.Delivered);
                Assert.Equal(reader.Delivered.Count, reader.Delivered.Distinct().Count());
                var delivered = reader.Delivered.ToHashSet();
                Assert.Subset(_appended.ToHashSet(), delivered);

                // Who had nothing yet starts with the first event kept, which may be the first of a new life of the stream.
                var start = reader is { Start.IsZero: true, Delivered: [{ Sequence: 1 } first, ..] } ? first : reader.Start;

                // Of an event that the log lost before it named the epoch's last position, only those know who have it.
                foreach (var missing in _appended.Where(position => position > start && !delivered.Contains(position) && !_lost.Contains(position)))
                {
                    Assert.True(
                        reader.Gaps.Any(gap => gap.From < missing && missing <= gap.To)
                            || reader.Borders.Any(border => border.Missed is null && border.Previous < missing && missing < border.Current),
                        $"{missing} is missing from {reader.Start} on without a word; told were "
                                + $"{string.Join(", ", reader.Gaps)}; {string.Join(", ", reader.Borders)}");
                }

                Assert.All(reader.Gaps, gap => Assert.DoesNotContain(delivered, position => gap.From < position && position <= gap.To));
                Assert.All(reader.Borders.Where(border => border.Missed == 0), border => Assert.Contains(border.Current, delivered));
            }
        }

        /// <summary>As the append script does, but without a wake; that comes when the test says so, if at all.</summary>
        private async Task AppendAsync(int count)
        {
            var events = new List<EncodedEvent>();
            var time = _random.Next(2) + 1_700_000_000_000 + (10 * _appended.Count);
            for (var number = 0; number < count; number++)
            {
                var link = number == 0 ? _link : null;
                _last = _last.Next;
                var frame = EventFrame.Encode("T", EventFlags.None, "\"specversion\":\"1.0\",\"id\":\"a\"}"u8);
                List<object> arguments = [StreamKeys.Stream(_stream), _last.ToString(), "e", frame, "r", time];
                if (link is { } previous)
                {
                    arguments.AddRange(["p", previous.ToString()]);
                }

                await _log.Database.ExecuteAsync("XADD", arguments);
                events.Add(EncodedEvent.Encode(_stream, new StoredEvent(_last, time, EventFrame.Read(frame), link)));
                _appended.Add(_last);
            }

            _link = null;
            await _log.Database.ExecuteAsync(
                "HSET", StreamKeys.Meta(_stream), "e", _last.Epoch, "s", _last.Sequence, "rt", time);
            _wakes.Add([.. events]);
        }

        private void DeliverWake()
        {
            if (_wakes.Count == 0)
            {
                return;
            }

            var index = _random.Next(3) == 0 ? _random.Next(_wakes.Count) : 0;
            var wake = _wakes[index];
            switch (_random.Next(8))
            {
                case 0:
                    _wakes.RemoveAt(index);
                    break;
                case 1:
                    Feed.Offer(wake);
                    break;
                default:
                    _wakes.RemoveAt(index);
                    Feed.Offer(wake);
                    break;
            }
        }

        private async Task TrimAsync()
        {
            if (_appended.Count > 4)
            {
                _trimmed = _appended[_random.Next(_appended.Count - 2)];
                await _log.TrimAsync(_stream, _trimmed);
            }
        }

        /// <summary>The hot log starts a new epoch; sometimes it has lost its newest events, sometimes it knows nothing of what was.</summary>
        private async Task RaiseAsync()
        {
            if (_appended.Count == 0)
            {
                return;
            }

            _wakes.Clear();
            switch (_random.Next(3))
            {
                case 0 when _link is null:
                    foreach (var lost in _appended.Where(position => position.Epoch == _last.Epoch).TakeLast(_random.Next(4)).ToArray())
                    {
                        await _log.Database.ExecuteAsync("XDEL", StreamKeys.Stream(_stream), lost.ToString());
                        _lost.Add(lost);
                    }

                    var kept = await _log.Reader.ReadBeforeAsync(_stream, null, 1, TestContext.Current.CancellationToken);
                    _link = kept is [var item] && item.Position.Epoch == _last.Epoch ? item.Position : _last;
                    _last = new StreamPosition(_last.Epoch + 1 + _random.Next(1_000), _link.Value.Sequence);
                    break;
                case 1 when _link is null:
                    _link = _last;
                    _last = _last with { Epoch = _last.Epoch + 1 + _random.Next(1_000) };
                    break;
                case 2 when _random.Next(3) == 0:
                    await _log.Database.KeyDeleteAsync(StreamKeys.Stream(_stream));
                    _link = null;
                    _last = new StreamPosition(_last.Epoch + 1 + _random.Next(1_000), 0);
                    break;
                default:
                    break;
            }
        }

        private StreamPosition Start() => _random.Next(3) switch
        {
            0 => StreamPosition.Zero,
            1 when _appended.Count > 0 => _appended[_random.Next(_appended.Count)],
            _ => Feed.Tail.Last,
        };
    }

    /// <summary>Drives a cursor as a connection does, and writes down what a client would see.</summary>
    private sealed class Reader
    {
        private StreamCursor _cursor;
        private readonly EncodedEvent?[] _batch = new EncodedEvent?[8];
        private Task<TierRead>? _reading;

        public Reader(StreamFeed feed, StreamPosition start, bool lazy)
        {
            Start = start;
            _cursor = new StreamCursor(feed);
            _cursor.MoveTo(start);
            if (!lazy)
            {
                Read(1_000);
            }
        }

        public StreamPosition Start { get; }

        public StreamPosition Position => _cursor.Position;

        public List<StreamPosition> Delivered { get; } = [];

        public List<Gap> Gaps { get; } = [];

        public List<EpochBorder> Borders { get; } = [];

        public void Read(int steps)
        {
            for (var step = 0; step < steps; step++)
            {
                if (_reading is not null)
                {
                    if (!_reading.IsCompleted)
                    {
                        return;
                    }

                    var read = _reading.GetAwaiter().GetResult();
                    _reading = null;
                    _cursor.Accept(read);
                    Write(read.Before, read.Events);
                }

                switch (_cursor.Take(_batch, 1 << 20, out var count, out var before, out _))
                {
                    case CursorStep.Events:
                        Write(before, [.. _batch.Take(count).Select(item => item!)]);
                        break;
                    case CursorStep.SlowerTiers:
                        _reading = _cursor.ReadTiersAsync();
                        break;
                    default:
                        return;
                }
            }
        }

        private void Write(Discontinuity? before, EncodedEvent[] events)
        {
            if (before?.Gap is { } gap)
            {
                Gaps.Add(gap);
            }

            if (before?.Border is { } border)
            {
                Borders.Add(border);
            }

            Delivered.AddRange(events.Select(item => item.Position));
        }
    }
}

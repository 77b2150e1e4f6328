using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;

namespace AspireStreaming.Transport;

/// <summary>
/// A thread that waits for what its connections receive and serves it there and then: from the socket through the protocol into the
/// handler, until that has to wait for something. No other thread is woken for it. Thread-safe.
/// </summary>
internal sealed class EventLoop : IDisposable
{
    private const int MaxEvents = 256;

    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(2);

    private readonly int _set = Epoll.Create();
    private readonly int _stop = Epoll.CreateCounter();
    private readonly ConcurrentDictionary<long, EventLoopConnection> _connections = new();
    private readonly Thread _thread;
    private readonly bool _isPatient;
    private long _tokens;
    private int _count;
    private volatile bool _isStopped;

    /// <summary>Starts it.</summary>
    /// <param name="name">The thread's name.</param>
    /// <param name="isPatient">Whether it leaves a processor to who has it until it is its turn.</param>
    public EventLoop(string name, bool isPatient)
    {
        _isPatient = isPatient;
        Epoll.Add(_set, _stop, Epoll.In, token: 0);
        _thread = new Thread(Run) { IsBackground = true, Name = name };
        _thread.UnsafeStart();
    }

    /// <summary>Connections that it serves.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Serves a connection from now on, until that is removed.</summary>
    /// <returns>What it is removed by.</returns>
    public long Add(EventLoopConnection connection, int descriptor)
    {
        var token = Interlocked.Increment(ref _tokens);
        _connections[token] = connection;
        Interlocked.Increment(ref _count);
        try
        {
            Epoll.Add(_set, descriptor, Epoll.In | Epoll.ReadHangUp | Epoll.EdgeTriggered, token);
        }
        catch
        {
            Remove(token);
            throw;
        }

        return token;
    }

    /// <summary>Serves a connection no more; the system forgets its socket when that is closed.</summary>
    public void Remove(long token)
    {
        if (_connections.TryRemove(token, out _))
        {
            Interlocked.Decrement(ref _count);
        }
    }

    /// <summary>Ends the thread; connections that are still there are served no more.</summary>
    public void Dispose()
    {
        _isStopped = true;
        Epoll.Signal(_stop);
        if (_thread.Join(StopTimeout))
        {
            Epoll.Close(_set);
            Epoll.Close(_stop);
        }
    }

    private void Run()
    {
        if (_isPatient)
        {
            Scheduling.WaitForTurns();
        }

        var events = Epoll.NewBuffer(MaxEvents);
        while (!_isStopped)
        {
            var count = Epoll.Wait(_set, events);
            for (var index = 0; index < count; index++)
            {
                var (happened, token) = Epoll.Read(events, index);
                if (_connections.TryGetValue(token, out var connection))
                {
                    Serve(connection, mayHaveEnded: (happened & ~Epoll.In) != 0);
                }
            }
        }
    }

    private static void Serve(EventLoopConnection connection, bool mayHaveEnded)
    {
        try
        {
            connection.OnReady(mayHaveEnded);
        }
        catch (Exception exception)
        {
            // Whatever it was, the others go on.
            connection.Abort(new ConnectionAbortedException("The connection could not be received from.", exception));
        }
    }
}

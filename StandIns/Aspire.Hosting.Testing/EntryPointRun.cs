using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Testing;

/// <summary>
/// Runs an AppHost's entry point on a thread of its own, stops it where it builds the application, hands that to the test, and
/// lets the entry point stand in its own Run until the test is over.
/// </summary>
internal sealed class EntryPointRun
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(10);

    private readonly TaskCompletionSource<DistributedApplicationBuilder> _builder = NewSource<DistributedApplicationBuilder>();
    private readonly TaskCompletionSource _build = NewSource();
    private readonly TaskCompletionSource<DistributedApplication> _application = NewSource<DistributedApplication>();
    private readonly TaskCompletionSource _release = NewSource();
    private readonly TaskCompletionSource _ended = NewSource();
    private readonly Assembly _assembly;
    private readonly string[] _args;
    private readonly Action<DistributedApplicationOptions, HostApplicationBuilderSettings> _configure;

    public EntryPointRun(Assembly assembly, string[] args, Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configure)
    {
        _assembly = assembly;
        _args = args;
        _configure = configure;
        if (assembly.EntryPoint is null)
        {
            throw new InvalidOperationException($"The assembly {assembly.GetName().Name} does not have an entry point.");
        }

        new Thread(Invoke) { IsBackground = true, Name = $"Entry point of {assembly.GetName().Name}" }.Start();
    }

    public async Task<TestingBuilder> GetBuilderAsync(CancellationToken cancellationToken)
    {
        var builder = await _builder.Task.WaitAsync(StartTimeout, cancellationToken).ConfigureAwait(false);
        return new TestingBuilder(builder, BuildAsync, ReleaseAsync);
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static TaskCompletionSource<T> NewSource<T>() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken)
    {
        _build.TrySetResult();
        return _application.Task.WaitAsync(StartTimeout, cancellationToken);
    }

    private async ValueTask ReleaseAsync()
    {
        // An entry point that was never let through its Build ends there.
        _build.TrySetException(new HostAbortedException());
        _release.TrySetResult();
        await Task.WhenAny(_ended.Task, Task.Delay(EndTimeout, TimeProvider.System)).ConfigureAwait(false);
    }

    private void Invoke()
    {
        BuilderInterception.Current = new BuilderInterception
        {
            Creating = (options, settings) => TestingDefaults.Apply(options, settings, _args, _assembly, _configure),
            Created = builder => TestingDefaults.AddServices(builder.Services),
            Building = builder =>
            {
                _builder.TrySetResult(builder);
                _build.Task.GetAwaiter().GetResult();
            },
            Built = application =>
            {
                application.Disposed = () => _release.TrySetResult();
                _application.TrySetResult(application);
                return new WaitingApplication(application, _release.Task);
            },
        };
        try
        {
            var parameters = _assembly.EntryPoint!.GetParameters().Length == 0 ? null : new object[] { _args };
            if (_assembly.EntryPoint.Invoke(null, parameters) is Task task)
            {
                task.GetAwaiter().GetResult();
            }

            Fail(new InvalidOperationException("The entry point ended without building a distributed application."));
        }
        catch (TargetInvocationException exception)
        {
            Fail(exception.InnerException ?? exception);
        }
        catch (Exception exception)
        {
            Fail(exception);
        }
        finally
        {
            _ended.TrySetResult();
        }
    }

    private void Fail(Exception exception)
    {
        _builder.TrySetException(exception);
        _application.TrySetException(exception);

        // Nobody may be waiting any more (a test that never built); the failure is then of no consequence.
        _ = _builder.Task.Exception;
        _ = _application.Task.Exception;
    }

    /// <summary>What the entry point starts and stops: nothing. The test does that to the application itself.</summary>
    [SuppressMessage("Usage", "CA2215:Dispose methods should call base class dispose", Justification = "The application is the test's to dispose.")]
    private sealed class WaitingApplication(DistributedApplication application, Task released) : DistributedApplication(application)
    {
        public override Task StartAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

        public override Task StopAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

        public override Task RunAsync(CancellationToken cancellationToken = default) => released.WaitAsync(cancellationToken);

        public override void Dispose() => GC.SuppressFinalize(this);

        public override ValueTask DisposeAsync()
        {
            GC.SuppressFinalize(this);
            return ValueTask.CompletedTask;
        }
    }
}

using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Local;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Orchestration;

/// <summary>
/// Where servers keep their data: in the folder of a mount, which one host at a time may use, or in a temporary folder that
/// survives restarts of the server but not the host.
/// </summary>
internal sealed class ServerDataFolders(AppHostLocation appHost, ResourceLoggerService loggers) : IDisposable
{
    private const int LockAttempts = 25;
    private static readonly TimeSpan LockRetry = TimeSpan.FromMilliseconds(200);
    private readonly SemaphoreSlim _gate = new(1);
    private readonly Dictionary<string, string> _folders = [];
    private readonly List<string> _temporary = [];
    private readonly List<FileStream> _locks = [];

    public async Task<string> GetAsync(ResourceInstance instance, LocalServerAnnotation server, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (!_folders.TryGetValue(instance.Id, out var folder))
            {
                folder = await CreateAsync(instance, server, cancellationToken).ConfigureAwait(false);
                _folders[instance.Id] = folder;
            }

            return folder;
        }
        finally
        {
            _gate.Release();
        }
    }

    public void DeleteTemporary()
    {
        foreach (var folder in _temporary)
        {
            DataFolders.Delete(folder);
        }

        _temporary.Clear();
        foreach (var @lock in _locks)
        {
            @lock.Dispose();
        }

        _locks.Clear();
    }

    public void Dispose()
    {
        DeleteTemporary();
        _gate.Dispose();
    }

    private async Task<string> CreateAsync(ResourceInstance instance, LocalServerAnnotation server, CancellationToken cancellationToken)
    {
        var user = server.RunAsUser();
        var mount = instance.Resource.Annotations.OfType<ContainerMountAnnotation>().LastOrDefault(m => m.Target == server.DataTarget);
        if (mount is null)
        {
            var temporary = DataFolders.Temporary(instance.Resource.Name, user);
            _temporary.Add(temporary);
            return temporary;
        }

        string folder;
        if (mount.Type == ContainerMountType.BindMount)
        {
            folder = Path.GetFullPath(Path.Combine(appHost.Directory, mount.Source!));
            Directory.CreateDirectory(folder);
        }
        else
        {
            var logger = loggers.GetLogger(instance.Id);
            folder = DataFolders.ForVolume(appHost.Directory, mount.Source!, user, line => logger.LogInformation("{Line}", line));
        }

        _locks.Add(await LockAsync(folder, cancellationToken).ConfigureAwait(false));
        return folder;
    }

    /// <summary>Two servers on one data folder destroy it. The lock goes away with the process that holds it, however that ends.</summary>
    private static async Task<FileStream> LockAsync(string folder, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return new FileStream(
                    Path.TrimEndingDirectorySeparator(folder) + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (attempt < LockAttempts)
            {
                // A host that was just stopped may still be letting go.
                await Task.Delay(LockRetry, TimeProvider.System, cancellationToken).ConfigureAwait(false);
            }
            catch (IOException exception)
            {
                throw new DistributedApplicationException(
                    $"The data folder {folder} is in use by another run of this AppHost. Stop that one, or run without kept data.", exception);
            }
        }
    }
}

//! containerd's requests about tasks, version 2.

use std::sync::Arc;

use containerd_shim::api::{
    CheckpointTaskRequest, CloseIORequest, ConnectRequest, ConnectResponse, CreateTaskRequest,
    CreateTaskResponse, DeleteRequest, DeleteResponse, Empty, ExecProcessRequest, KillRequest,
    PauseRequest, PidsRequest, PidsResponse, ResizePtyRequest, ResumeRequest, ShutdownRequest,
    StartRequest, StartResponse, StateRequest, StateResponse, StatsRequest, StatsResponse,
    UpdateTaskRequest, WaitRequest, WaitResponse,
};
use containerd_shim::protos::events::task::TaskDelete;
use containerd_shim::util::convert_to_any;
use containerd_shim::{ExitSignal, Task, TtrpcContext};
use parking_lot::Mutex;

use super::container::Container;
use super::events::Events;
use super::fault::{self, Answer, Context};

const NO_CHECKPOINTS: &str = "checkpoint is not supported yet: stop the container instead";

pub(crate) struct Service {
    namespace: String,
    container: Mutex<Option<Arc<Container>>>,
    /// Held while one is made.
    creating: Mutex<()>,
    events: Events,
    exit: Arc<ExitSignal>,
}

impl Service {
    pub(crate) fn new(namespace: String, events: Events, exit: Arc<ExitSignal>) -> Self {
        Service {
            namespace,
            container: Mutex::new(None),
            creating: Mutex::new(()),
            events,
            exit,
        }
    }

    fn container(&self) -> Answer<Arc<Container>> {
        let container = self.container.lock().clone();
        container.ok_or_else(|| fault::not_found("the container does not exist"))
    }
}

impl Task for Service {
    fn create(&self, _: &TtrpcContext, request: CreateTaskRequest) -> Answer<CreateTaskResponse> {
        let _creating = self.creating.lock();
        if self.container.lock().is_some() {
            return Err(fault::exists("this shim has a container already"));
        }
        if !request.checkpoint.is_empty() {
            return Err(fault::unserved(NO_CHECKPOINTS));
        }
        let container = Container::create(&request, &self.namespace, &self.events)?;
        let mut response = CreateTaskResponse::new();
        response.set_pid(container.process("")?.pid());
        *self.container.lock() = Some(container);
        Ok(response)
    }

    fn start(&self, _: &TtrpcContext, request: StartRequest) -> Answer<StartResponse> {
        let mut response = StartResponse::new();
        response.set_pid(self.container()?.start(&request.exec_id)?);
        Ok(response)
    }

    fn delete(&self, _: &TtrpcContext, request: DeleteRequest) -> Answer<DeleteResponse> {
        let container = self.container()?;
        let (pid, exit) = container.delete(&request.exec_id)?;
        if request.exec_id.is_empty() {
            *self.container.lock() = None;
            let mut event = TaskDelete::new();
            event.set_container_id(container.id.clone());
            event.set_pid(pid);
            event.set_exit_status(exit.status);
            event.set_exited_at(exit.at.clone());
            self.events.publish(event);
        }
        let mut response = DeleteResponse::new();
        response.set_pid(pid);
        response.set_exit_status(exit.status);
        response.set_exited_at(exit.at);
        Ok(response)
    }

    fn exec(&self, _: &TtrpcContext, request: ExecProcessRequest) -> Answer<Empty> {
        self.container()?.exec(&request)?;
        Ok(Empty::new())
    }

    fn kill(&self, _: &TtrpcContext, request: KillRequest) -> Answer<Empty> {
        let container = self.container()?;
        container.kill(&request.exec_id, request.signal, request.all)?;
        Ok(Empty::new())
    }

    fn pause(&self, _: &TtrpcContext, _: PauseRequest) -> Answer<Empty> {
        self.container()?.pause()?;
        Ok(Empty::new())
    }

    fn resume(&self, _: &TtrpcContext, _: ResumeRequest) -> Answer<Empty> {
        self.container()?.resume()?;
        Ok(Empty::new())
    }

    fn update(&self, _: &TtrpcContext, request: UpdateTaskRequest) -> Answer<Empty> {
        self.container()?.update(&request.resources.value)?;
        Ok(Empty::new())
    }

    fn pids(&self, _: &TtrpcContext, _: PidsRequest) -> Answer<PidsResponse> {
        let mut response = PidsResponse::new();
        response.processes = self.container()?.pids()?;
        Ok(response)
    }

    fn stats(&self, _: &TtrpcContext, _: StatsRequest) -> Answer<StatsResponse> {
        let stats = Box::new(self.container()?.stats()?);
        let mut response = StatsResponse::new();
        response.set_stats(convert_to_any(stats).context("statistics")?);
        Ok(response)
    }

    fn wait(&self, _: &TtrpcContext, request: WaitRequest) -> Answer<WaitResponse> {
        let exit = self.container()?.process(&request.exec_id)?.wait();
        let mut response = WaitResponse::new();
        response.set_exit_status(exit.status);
        response.set_exited_at(exit.at);
        Ok(response)
    }

    fn state(&self, _: &TtrpcContext, request: StateRequest) -> Answer<StateResponse> {
        let container = self.container()?;
        let process = container.process(&request.exec_id)?;
        let mut response = process.describe(container.is_paused());
        response.set_id(container.id.clone());
        response.set_bundle(container.bundle.display().to_string());
        Ok(response)
    }

    fn resize_pty(&self, _: &TtrpcContext, request: ResizePtyRequest) -> Answer<Empty> {
        let process = self.container()?.process(&request.exec_id)?;
        process.resize(request.width, request.height)?;
        Ok(Empty::new())
    }

    fn close_io(&self, _: &TtrpcContext, request: CloseIORequest) -> Answer<Empty> {
        if request.stdin {
            self.container()?.process(&request.exec_id)?.close_stdin();
        }
        Ok(Empty::new())
    }

    fn checkpoint(&self, _: &TtrpcContext, _: CheckpointTaskRequest) -> Answer<Empty> {
        Err(fault::unserved(NO_CHECKPOINTS))
    }

    fn connect(&self, _: &TtrpcContext, _: ConnectRequest) -> Answer<ConnectResponse> {
        let mut response = ConnectResponse::new();
        response.set_shim_pid(std::process::id());
        if let Ok(container) = self.container() {
            response.set_task_pid(container.process("")?.pid());
        }
        response.set_version(env!("CARGO_PKG_VERSION").to_owned());
        Ok(response)
    }

    fn shutdown(&self, _: &TtrpcContext, request: ShutdownRequest) -> Answer<Empty> {
        if request.now || self.container.lock().is_none() {
            self.exit.signal();
        }
        Ok(Empty::new())
    }
}
